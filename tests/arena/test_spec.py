"""The arena's spec: what is wrong is told at once, with its line; and what a plan says before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from arena.arenas import judge, make_answers, make_questions, write_lines, write_spec
from arena.test_run import arena, three
from command import bridge
from fault_server import FaultServer

from bridge.arena_spec import ArenaSpec
from bridge.errors import SpecError
from bridge.spec_file import dump_spec
from bridge.spec_file.arena import read_arena_spec, recorded_arena_spec

URL = "http://127.0.0.1:9/v1"
PARTS = """\
models: [{name: m, answers: m.jsonl}, {name: n, answers: n.jsonl}]
questions: question.jsonl
judge: {name: j, endpoint: {base_url: "http://127.0.0.1:9/v1", probe: false}}
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as error:
        read_arena_spec(path)
    return [str(problem).replace(str(path), "spec.yaml") for problem in error.value.problems]


def test_everything_of_the_proposal_is_read_and_written_down_again(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        """\
name: scores
models: [{name: sft, endpoint: {base_url: "http://127.0.0.1:8000/v1"}}, {name: llama2, answers: ./llama2.jsonl}]
questions: {path: ./question.jsonl, format: auto, limit: 80, categories: [math], references: ./gpt-4.jsonl}
generation: {temperature: 0.7, max_tokens: 1024, seed: 42}
judges: [{name: a, endpoint: {base_url: "http://127.0.0.1:8001/v1"}}, {name: people, human: true, votes_per_battle: 2}]
arena:
  mode: pairwise-baseline
  baseline: llama2
  order: both
  on_disagreement: tie
  verdict: {prompt: pair_levels, parser: five_level}
  strong_weight: 3
  pairs: {strategy: balanced, per_pair: 40, budget: {calls: 20000, usd: 25, price: {input: 2.5, output: 10}}, seed: 7}
  panel: {rule: majority, quorum: 2}
  rating:
    method: bradley-terry
    ties: half
    scale: 400
    anchor: {llama2: 1000}
    style: [length, markdown]
    ci: {level: 0.95, method: auto, cluster: question, resamples: 1000, seed: 0}
    prior: auto
  missing: skip
  dry_run: false
""",
        encoding="utf-8",
    )
    spec = read_arena_spec(path).spec
    assert spec.arena.baseline == {"default": "llama2"}
    assert spec.models[1].answers == str(tmp_path / "llama2.jsonl")
    (tmp_path / "again.yaml").write_text(dump_spec(spec), encoding="utf-8")
    assert recorded_arena_spec(tmp_path / "again.yaml") == spec


def test_all_problems_with_their_lines(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        """\
models: [{name: m, endpoint: {base_url: "http://127.0.0.1:9/v1"}}, {name: n, answer: ./n.jsonl}]
questions: [a]
judge: {name: j, human: yes}
arena:
  mode: pairwise-basline
  pairs: {stratgy: balanced, per_pair: "40"}
  rating: {prior: maybe, ci: {level: 2}}
""",
    ) == [
        "spec.yaml:1: models[1].answer: unknown field (did you mean 'answers'?)",
        "spec.yaml:2: questions: is a list; a mapping is needed",
        "spec.yaml:3: judge.human: is 'yes'; true or false is needed",
        "spec.yaml:5: arena.mode: is 'pairwise-basline'; allowed: 'single', 'pairwise-baseline' or 'pairwise-all'"
        " (did you mean 'pairwise-baseline'?)",
        "spec.yaml:6: arena.pairs.stratgy: unknown field (did you mean 'strategy'?)",
        "spec.yaml:6: arena.pairs.per_pair: is '40'; a whole number is needed (write it without quotes)",
        "spec.yaml:7: arena.rating.ci.level: is 2; allowed: less than 1",
        "spec.yaml:7: arena.rating.prior: is 'maybe'; a number is needed",
    ]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{mode: pairwise-baseline}", "needs one, the name of one of the models"),
        ("{mode: pairwise-all, baseline: m}", "mode pairwise-all has none"),
        ("{mode: pairwise-baseline, baseline: k}", "arena.baseline: there is no model 'k'"),
        ("{mode: pairwise-all, rating: {anchor: {q: 1}}}", "arena.rating.anchor: there is no model 'q'"),
        ("{mode: pairwise-all, panel: {quorum: 2}}", "arena.panel.quorum: is 2; there are 1 judges"),
        ("{mode: pairwise-all, pairs: {strategy: adaptive}}", "needs to know when to stop"),
        ("{mode: pairwise-all, scale: [10, 1]}", "the lowest score comes first"),
        ("{mode: pairwise-all, prompt: pair, verdict: {prompt: pair}}", "give the prompt once"),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, block: str, message: str) -> None:
    (problem,) = problems(tmp_path, f"{PARTS}arena: {block}\n")
    assert message in problem
    assert problem.startswith("spec.yaml:4: ")


def test_models_twice_and_too_few(tmp_path: Path) -> None:
    one = PARTS.replace(", {name: n, answers: n.jsonl}", "")
    assert "mode pairwise-all needs two models" in problems(tmp_path, f"{one}arena: {{mode: pairwise-all}}\n")[0]
    twice = PARTS.replace("name: n", "name: m")
    assert "m is there twice" in problems(tmp_path, f"{twice}arena: {{mode: pairwise-all}}\n")[0]
    two = PARTS.replace("judge: {name: j,", "judge: {name: j, human: true,")
    assert (
        "exactly one of 'endpoint', 'deploy' and 'human: true'"
        in problems(tmp_path, f"{two}arena: {{mode: pairwise-all}}\n")[0]
    )


def test_each_command_says_which_one_is_for_the_other_spec(tmp_path: Path) -> None:
    (tmp_path / "arena.yaml").write_text(f"{PARTS}arena: {{mode: pairwise-all}}\n")
    done = bridge("run", tmp_path / "arena.yaml")
    assert done.exit_code == 2
    assert "arena.yaml:4: arena: this is the spec of an arena" in done.stderr
    assert "bridge arena run SPEC runs it" in done.stderr
    (tmp_path / "task.yaml").write_text(f"model: {{name: m, endpoint: {{base_url: {URL!r}}}}}\ndatasets: [gsm8k]\n")
    done = bridge("arena", "run", tmp_path / "task.yaml")
    assert done.exit_code == 2
    assert "task.yaml:2: datasets: this is the spec of an evaluation" in done.stderr


def test_what_the_files_say_is_told_before_anything_is_asked(tmp_path: Path, server: FaultServer) -> None:
    make_questions(tmp_path, 4)
    models = {
        "one": make_answers(tmp_path, "one", [1, 2, 3, 4]),
        "strange": write_lines(tmp_path / "strange.jsonl", [{"question_id": "x", "text": "a"}]),
        "none": tmp_path / "none.jsonl",
    }
    prompt = write_lines(tmp_path / "p.jsonl", [{"type": "pairwise", "prompt_template": "{answer_a} {anser_b}"}])
    spec = write_spec(tmp_path, server.base_url, models, arena={"repeats": 2, "prompt": str(prompt)})
    done = arena(spec, tmp_path / "run")
    assert done.exit_code == 2
    for message in (
        "arena.repeats: is 2, and judge judge says the same each time",
        "unknown placeholder {anser_b} (did you mean 'answer_b'?)",
        "answers none of the questions; do the ids match?",
        "none.jsonl: cannot be read",
    ):
        assert message in done.stderr
    assert not (tmp_path / "run").exists()
    assert server.journal == []


def test_a_baseline_for_some_categories_only(tmp_path: Path, server: FaultServer) -> None:
    block = {"mode": "pairwise-baseline", "baseline": {"math": "good"}}
    done = arena(write_spec(tmp_path, server.base_url, three(tmp_path), arena=block), tmp_path / "run")
    assert (done.exit_code, "there is none for the category writing" in done.stderr) == (2, True)


def test_parsers_that_are_not_for_the_mode(tmp_path: Path, server: FaultServer) -> None:
    block = {"mode": "single", "verdict": {"parser": "letter"}}
    done = arena(write_spec(tmp_path, server.base_url, three(tmp_path), arena=block), tmp_path / "run")
    assert (done.exit_code, "'letter' is not for mode single; allowed: rating, json" in done.stderr) == (2, True)


def test_plan(tmp_path: Path, server: FaultServer) -> None:
    models = {**three(tmp_path), "fault-model": server.base_url}
    priced = judge("judge", server.base_url, price={"input": 2, "output": 8})
    spec = write_spec(tmp_path, server.base_url, models, judge=priced)
    done = bridge("arena", "plan", spec, "--json")
    assert done.exit_code == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["answers"], plan["comparisons"], plan["calls"]) == ({"fault-model": 6}, 36, 72)
    assert plan["judges"][0]["prompt_tokens"] > 72 * 200
    assert plan["usd"] == pytest.approx(
        (2 * plan["judges"][0]["prompt_tokens"] + 8 * plan["judges"][0]["completion_tokens"]) / 1e6
    )
    assert server.journal == []
    lines = bridge("arena", "plan", spec).stdout.splitlines()
    assert "answers of fault-model: 6 requests" in lines
    assert any(line.startswith("judge judge: 72 calls, about ") and line.endswith(" USD") for line in lines)


def test_the_plan_of_a_run_that_is_there_already(tmp_path: Path, server: FaultServer) -> None:
    models = three(tmp_path)
    newcomer = models.pop("fair")
    spec, run = write_spec(tmp_path, server.base_url, models), tmp_path / "run"
    arena(spec, run)
    done = bridge("arena", "plan", write_spec(tmp_path, server.base_url, {**models, "fair": newcomer}), "-o", run)
    assert "judge judge: 24 calls" in done.stdout
    assert "12 calls made before, not made again" in done.stdout


def test_the_same_figures_as_the_run_that_follows(tmp_path: Path, server: FaultServer) -> None:
    models = {
        "one": make_answers(tmp_path, "one", ["same", None, 3]),
        "two": make_answers(tmp_path, "two", ["same", 5, 5]),
    }
    make_questions(tmp_path, 3)
    spec = write_spec(tmp_path, server.base_url, models)
    plan = json.loads(bridge("arena", "plan", spec, "--json").stdout)
    assert (plan["calls"], plan["identical"], plan["missing"]) == (2, 2, 2)
    arena(spec, tmp_path / "run")
    assert len(server.journal) == 2


def test_how_fast_is_not_what() -> None:
    text = f"{PARTS}arena: {{mode: pairwise-all}}\n"
    values = yaml.safe_load(text) | {"questions": {"path": "question.jsonl"}}
    assert ArenaSpec.model_validate(values).sha256() == ArenaSpec.model_validate(values | {"concurrency": 3}).sha256()
