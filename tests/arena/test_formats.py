"""Other tools' files of battles: read, written, and read again; what is broken in them is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from battle_rows import both, run_of
from command import bridge

from bridge.arena.imports import import_arena
from bridge.arena.report import rate_run
from bridge.errors import BridgeError, OutputError, SpecError
from bridge.native.arena.answers import Answer, Answers
from bridge.native.arena.asking import write_answers
from bridge.native.arena.battle import line
from bridge.native.arena.folder import ArenaFolder, write_questions
from bridge.native.arena.formats import alpaca_eval, arena_hard, evalscope, fastchat, lmarena
from bridge.native.arena.formats.export import WRITERS, export
from bridge.native.arena.questions import Question
from bridge.native.arena.settings import FILE, dumped, recorded
from bridge.report.schema import Report

MODELS = ("base", "org/tuned:1", "third")


def file(path: Path, rows: list[Any], *, as_list: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows) if as_list else "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def figures(report: Report) -> dict[str, tuple[float | None, int]]:
    return {row.model: (row.value and round(row.value, 6), row.n) for row in report.results if row.primary}


@pytest.fixture
def arena(tmp_path: Path) -> Path:
    """Three models against one, two orders, one judge that cannot be read once."""
    root = tmp_path / "arena"
    folder = ArenaFolder(root)
    questions = [Question(f"q{at}", "math" if at % 2 else "prose", (f"What is {at}?",), ()) for at in range(10)]
    write_questions(folder.questions, questions)
    for model in MODELS:
        of = {question.question_id: Answer((f"{model} on {question.question_id}",)) for question in questions}
        write_answers(folder.answers(model), Answers(model, of), questions, "questions")
    rows = [row for at in range(10) for row in both(f"q{at}", "base", MODELS[1], "b", "b" if at % 4 else "a")]
    rows += [row for at in range(10) for row in both(f"q{at}", "base", MODELS[2], "a" if at % 3 else "tie", "a")]
    rows[0].verdict, rows[0].strength = "b", 2
    folder.battles.write_bytes(b"".join(map(line, rows)))
    block = {"mode": "pairwise-baseline", "baseline": "base", "order": "both"}
    (root / FILE).write_bytes(dumped(run_of(**block)))
    return root


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_there_and_back(arena: Path, tmp_path: Path, form: str) -> None:
    before = rate_run(arena)
    output = tmp_path / ("out.json" if "." in WRITERS[form][1] or "file" in WRITERS[form][1] else "out")
    if form == "battles":
        output = tmp_path / "out.jsonl"
    export(arena, recorded(arena), form, output)
    path = output
    if form == "alpaca-eval":
        path = output.rename(tmp_path / "annotations.json")
    after, _ = import_arena(form, path, tmp_path / "again", "base")
    if form in ("lmarena", "alpaca-eval"):
        # Which answer was shown first is not in the form: both games come back as votes of one judge.
        assert figures(after).keys() == figures(before).keys()
        assert after.arena is not None and after.arena.counts.battles == 40
    else:
        assert figures(after) == figures(before)


def test_what_is_there_is_not_written_over(arena: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(OutputError, match="is there already"):
        export(arena, recorded(arena), "fastchat", tmp_path / "out")
    with pytest.raises(SpecError, match="is there already"):
        import_arena("battles", arena, tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "x"


def test_fastchat_pairs(tmp_path: Path) -> None:
    row = {
        "question_id": 81,
        "model_1": "zeta",
        "model_2": "alpha",
        "g1_winner": "model_1",
        "g2_winner": "tie",
        "judge": ["gpt-4", "pair-v2"],
        "turn": 2,
    }
    path = file(tmp_path / "gpt-4_pair.jsonl", [row, row | {"question_id": "82", "g2_winner": "error"}])
    found = fastchat.read(path)
    assert [(one.question_id, one.model_a, one.shown_first, one.verdict, one.turn) for one in found.battles] == [
        ("81", "alpha", "b", "b", 2),
        ("81", "alpha", "a", "tie", 2),
        ("82", "alpha", "b", "b", 2),
        ("82", "alpha", "a", None, 2),
    ]
    assert found.battles[3].error is not None and found.battles[3].error.kind == "unparsed"


def test_fastchat_scores_that_are_none(tmp_path: Path) -> None:
    good = {"question_id": 1, "model": "m", "judge": ["j", "p"], "score": 7, "turn": 1, "judgment": "[[7]]"}
    bad = [good | {"question_id": at, "score": score} for at, score in ((2, -1), (3, None), (4, "NaN"))]
    report, _ = import_arena("fastchat", file(tmp_path / "j_single.jsonl", [good, *bad]), tmp_path / "run")
    (row,) = [row for row in report.results if row.primary]
    assert (row.value, row.n, row.n_errors) == (7.0, 1, 3) and report.exit_code == 7


def test_vicuna_reviews_without_their_answers_are_known_by_the_file(tmp_path: Path) -> None:
    rows = [{"question_id": 1, "answer1_id": "x", "answer2_id": "y", "score": [8, 9.5], "text": "8 9.5"}]
    rows.append({"question_id": 2, "answer1_id": "x", "answer2_id": "y", "score": [-1, -1], "text": "?"})
    found = fastchat.read(file(tmp_path / "review_one_two.jsonl", rows))
    assert [(one.model_a, one.model_b, one.verdict) for one in found.battles] == [
        ("one", "two", "b"),
        ("one", "two", None),
    ]
    nameless = file(tmp_path / "reviews.jsonl", rows)
    with pytest.raises(OutputError, match="which models answered is not to be found"):
        fastchat.read(nameless)


def test_arena_hard_has_the_baseline_first_in_game_0(tmp_path: Path) -> None:
    games = [{"score": "A>>B", "judgment": "…"}, {"score": "B>A", "judgment": "…"}]
    rows: list[dict[str, Any]] = [{"question_id": "q1", "model": "new", "judge": "gpt", "games": games}]
    rows.append({"uid": "q2", "model": "new", "judge": "gpt", "games": [{"score": "A=B"}, None], "category": "hard"})
    file(tmp_path / "model_judgment" / "gpt" / "new.jsonl", rows)
    found = arena_hard.read(tmp_path)
    assert found.baseline == {"default": "gpt-4-0314"}
    assert [(one.verdict, one.strength, one.shown_first) for one in found.battles] == [
        ("a", 2, "a"),
        ("a", 1, "b"),
        ("tie", 1, "a"),
        (None, 1, "b"),
    ]


def test_alpaca_eval_preferences(tmp_path: Path) -> None:
    base = {"generator_1": "davinci", "generator_2": "mine", "annotator": "gpt", "output_1": "x", "output_2": "y"}
    values = [1, 2.0, 1.5, 0, None, 1.2, 7]
    rows = [base | {"instruction": f"do {at}", "preference": value} for at, value in enumerate(values)]
    found = alpaca_eval.read(file(tmp_path / "annotations.json", rows, as_list=True))
    assert [one.verdict for one in found.battles] == ["a", "b", "tie", "tie", None, "a", None]
    assert found.baseline == {"default": "davinci"} and "1 preferences lie between" in found.notes[0]
    report, _ = import_arena("alpaca-eval", tmp_path / "annotations.json", tmp_path / "run")
    rows_of = {row.metric: row for row in report.results if row.model == "mine"}
    assert rows_of["win_rate"].value == pytest.approx((0 + 1 + 0.5 + 0.5 + 0) / 5) and rows_of["rating"].n_errors == 2


def test_alpaca_eval_error_is_that_of_its_leaderboard(tmp_path: Path) -> None:
    """205 wins, 584 losses, 16 draws of 805: 26.46 % ± 1.54, as published."""
    base = {"generator_1": "davinci", "generator_2": "alpaca-7b", "annotator": "gpt"}
    values = [2] * 205 + [1] * 584 + [1.5] * 16
    rows = [base | {"instruction": f"do {at}", "preference": value} for at, value in enumerate(values)]
    path = file(tmp_path / "annotations.json", rows, as_list=True)
    report, _ = import_arena("alpaca-eval", path, tmp_path / "run")
    (row,) = [row for row in report.results if row.metric == "win_rate" and row.subset is None]
    assert row.value == pytest.approx(0.26459627329192546, abs=1e-12)
    assert row.stderr == pytest.approx(0.0153571147, abs=1e-9)


def test_lmarena_battles(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"model_a": "b", "model_b": "a", "winner": "model_a", "judge": "user1", "turn": 1},
        {"model_a": "a", "model_b": "b", "winner": "tie (bothbad)", "judge": "user1", "turn": 3},
        {"model_a": "a", "model_b": "a", "winner": "tie", "judge": "user2"},
        {"model_a": "a", "model_b": "b", "winner": "invalid", "judge": "user2"},
    ]
    found = lmarena.read(file(tmp_path / "battles.json", rows, as_list=True))
    assert [(one.verdict, one.annotator) for one in found.battles] == [
        ("b", "user1"),
        ("tie", "user1"),
        (None, "user2"),
    ]
    assert len({one.question_id for one in found.battles}) == 3 and "itself" in found.notes[0]
    board = tmp_path / "board.csv"
    board.write_text("rank,model_a,arena_score\n1,x,1470\n")
    with pytest.raises(OutputError, match="a leaderboard, not battles"):
        lmarena.read(board)


EVALSCOPE = {
    "question_file": "question.jsonl",
    "answers_gen": {
        "chatglm2-6b": {
            "model_id_or_path": "ZhipuAI/chatglm2-6b",
            "revision": "v1.0.12",
            "precision": "torch.float16",
            "enable": True,
            "template_type": "chatglm2",
            "generation_config": {
                "do_sample": True,
                "max_new_tokens": 256,
                "top_k": 20,
                "top_p": 0.75,
                "temperature": 0.3,
                "repetition_penalty": 1.1,
            },
            "output_file": "answers/glm.jsonl",
        },
        "old": {"enable": False, "output_file": "answers/old.jsonl", "model_id_or_path": "x/y"},
    },
    "reviews_gen": {
        "enable": True,
        "reviewer": {
            "ref": "evalscope.reviewer:AutoReviewerGpt4",
            "args": {
                "model": "gpt-4",
                "max_tokens": 1024,
                "temperature": 0.2,
                "mode": "pairwise_baseline",
                "position_bias_mitigation": "swap_position",
                "fn_completion_parser": "lmsys_parser",
            },
        },
        "prompt_file": "prompt_template.jsonl",
        "target_answers": None,
        "baseline_file": "answers/answer_gpt4.jsonl",
        "reference_file": "reference.jsonl",
        "review_file": "reviews.jsonl",
        "cache_file": "cache.jsonl",
    },
    "rating_gen": {"enable": True, "metrics": ["elo"], "baseline_model": "gpt4", "report_file": "r.csv"},
    "mystery": 1,
}


def test_evalscopes_yaml_becomes_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "cfg_arena.yaml"
    path.write_text(yaml.safe_dump(EVALSCOPE))
    made = evalscope.convert_file(path)
    models = {model["name"]: model for model in made.spec["models"]}
    assert models["chatglm2-6b"]["deploy"]["dtype"] == "float16"
    assert models["chatglm2-6b"]["generation"] == {"max_tokens": 256, "top_k": 20, "top_p": 0.75, "temperature": 0.3}
    assert models["old"] == {"name": "old", "answers": "answers/old.jsonl"}
    assert models["gpt4"] == {"name": "gpt4", "answers": "answers/answer_gpt4.jsonl"}
    assert made.spec["arena"] == {
        "mode": "pairwise-baseline",
        "order": "both",
        "verdict": {"prompt": "prompt_template.jsonl"},
        "baseline": "gpt4",
    }
    left = {text.partition(":")[0] for text in made.left_out}
    assert left == {
        "answers_gen.chatglm2-6b.generation_config.repetition_penalty",
        "answers_gen.chatglm2-6b.revision",
        "answers_gen.chatglm2-6b.output_file",
        "answers_gen.old.model_id_or_path",
        "reviews_gen.reviewer.args.fn_completion_parser",
        "reviews_gen.review_file",
        "reviews_gen.cache_file",
        "rating_gen.metrics",
        "rating_gen.report_file",
        "mystery",
    }


def test_evalscopes_yaml_from_the_shell(tmp_path: Path) -> None:
    path = tmp_path / "cfg_arena.yaml"
    path.write_text(yaml.safe_dump(EVALSCOPE))
    done = bridge("arena", "import", "evalscope", str(path))
    assert done.exit_code == 0, done.stderr
    spec = yaml.safe_load(done.stdout)
    assert spec["arena"]["mode"] == "pairwise-baseline" and spec["judge"]["name"] == "gpt-4"
    assert "not carried over: mystery" in done.stderr
    other = tmp_path / "eval.yaml"
    other.write_text("model: x\ndatasets: [gsm8k]\n")
    refused = bridge("arena", "import", "evalscope", str(other))
    assert refused.exit_code == 2 and "no arena of EvalScope" in refused.stderr


def test_evalscopes_swapped_reviews(tmp_path: Path) -> None:
    row = {"model_a": "x", "model_b": "a", "question_id": 3, "win_1": "model_a", "win_2": "model_b", "category": "c"}
    found = evalscope.read(file(tmp_path / "review.jsonl", [row]))
    assert [(one.model_a, one.verdict, one.shown_first) for one in found.battles] == [("a", "b", "b"), ("a", "a", "a")]


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ("fastchat", [{"question_id": 1, "model_1": "a", "g1_winner": "tie"}]),
        ("fastchat", [{"x": 1}]),
        ("arena-hard", [{"question_id": 1, "model": "m"}]),
        ("alpaca-eval", [{"instruction": "x", "generator_1": "a"}]),
        ("lmarena", [{"model_a": "a"}]),
        ("battles", [{"battle_id": "x"}]),
        ("lmarena", []),
        ("fastchat", []),
    ],
)
def test_files_of_another_kind_are_one_clear_line_and_leave_nothing(tmp_path: Path, form: str, rows: list[Any]) -> None:
    path = file(tmp_path / "rows.jsonl", rows)
    with pytest.raises(BridgeError) as caught:
        import_arena(form, path, tmp_path / "run")
    assert "\n" not in str(caught.value) and "rows.jsonl" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_from_the_shell(arena: Path, tmp_path: Path) -> None:
    done = bridge("arena", "export", str(arena), "fastchat", "-o", str(tmp_path / "fc"))
    assert done.exit_code == 0, done.stderr
    done = bridge(
        "arena", "import", "fastchat", str(tmp_path / "fc"), "--baseline", "base", "-o", str(tmp_path / "run")
    )
    assert done.exit_code == 0 and "org/tuned:1" in done.stdout, done.stderr
    assert json.loads((tmp_path / "run" / "report.json").read_text())["arena"]["baseline"] == {"default": "base"}
    done = bridge("arena", "import", "fastchats", str(tmp_path / "fc"))
    assert done.exit_code == 2 and "did you mean 'fastchat'" in done.stderr
    done = bridge("arena", "rate", str(tmp_path / "run"), "--style", "lenght")
    assert done.exit_code == 2 and "did you mean 'length'" in done.stderr
    done = bridge("arena", "rate", str(tmp_path))
    assert done.exit_code == 6 and "no arena here" in done.stderr
