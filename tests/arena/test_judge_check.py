"""Judges measured on pairs of which the better answer is known, and how far any two voices agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from arena.arenas import judge, rows_of, write_lines, write_spec
from arena.test_review import ballot, vote_all
from arena.test_run import arena, three
from command import bridge
from fault_server import Fault, FaultServer

from bridge.errors import SpecError
from bridge.native.arena.gold import read_gold

DATA = Path(__file__).parents[3] / "shared" / "data"
JUDGES = ("sharp", "first", "lazy", "mute")


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Ten pairs; in six of them the first one is better."""
    rows = [
        {
            "input": f"Question {at}?",
            "output_1": f"one, quality {9 if at < 6 else 2}",
            "output_2": f"other, quality {2 if at < 6 else 9}",
            "label": 1 if at < 6 else 2,
        }
        for at in range(10)
    ]
    return write_lines(tmp_path / "gold.jsonl", rows)


@pytest.fixture
def spec(tmp_path: Path, server: FaultServer) -> Path:
    """Four judges: one that is right, one that takes the first, one that says tie, one that says nothing."""
    price = {"input": 1000, "output": 0}
    judges = [judge(name, server.base_url, price=price) for name in JUDGES]
    return write_spec(tmp_path, "", three(tmp_path), judges=judges)


def by_model(server: FaultServer) -> Any:
    """Makes the server answer as the judge that is asked."""
    words = {"first": "[[A]]", "lazy": "[[C]]", "mute": "I cannot tell."}
    right = server.answer

    def rule(body: dict[str, Any]) -> Fault:
        server.answer = lambda prompt: words.get(body["model"]) or right(prompt)
        return Fault()

    return rule


def test_judges_on_gold(tmp_path: Path, server: FaultServer, spec: Path, gold: Path) -> None:
    server.rule = by_model(server)
    done = bridge("arena", "judge-check", spec, "--gold", gold, "-o", tmp_path / "check", "--quiet", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    sharp, first, lazy, mute = found["judges"]
    assert (sharp["pairs"], sharp["accuracy"], sharp["consistent"], sharp["kappa_gold"]) == (10, 1.0, 1.0, 1.0)
    assert (first["accuracy"], first["accuracy_tie_half"], first["consistent"]) == (0.5, 0.5, 0.0)
    assert (first["first_position_share"], sharp["first_position_share"]) == (1.0, 0.5)
    assert (lazy["accuracy"], lazy["accuracy_tie_half"], lazy["accuracy_consistent"]) == (0.0, 0.5, 0.0)
    assert (mute["pairs"], mute["unparsed"], mute["accuracy"]) == (0, 20, None)
    assert sharp["usd_per_1000"] > 0
    asked = len(server.journal)
    assert asked == 4 * 20
    table = bridge("arena", "judge-check", spec, "--gold", gold, "-o", tmp_path / "check", "--quiet")
    assert len(server.journal) == asked, "the same folder again asks nothing"
    assert table.exit_code == 0
    assert (tmp_path / "check" / "judge-check.json").exists()


def test_the_table(tmp_path: Path, server: FaultServer, gold: Path) -> None:
    spec = write_spec(tmp_path, server.base_url, three(tmp_path))
    done = bridge("arena", "judge-check", spec, "--gold", gold, "--limit", 3, "-o", tmp_path / "check")
    assert done.exit_code == 0
    assert "3 pairs, each in both orders" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("judge ") and "100.0 %" in line]
    assert line.split()[:2] == ["judge", "3"]


def test_a_judge_that_fails(tmp_path: Path, server: FaultServer, gold: Path) -> None:
    spec = write_spec(tmp_path, server.base_url, three(tmp_path), max_retries=0)
    server.script(*[Fault(status=500)] * 3)
    assert bridge("arena", "judge-check", spec, "--gold", gold, "-o", tmp_path / "a", "-q").exit_code == 7
    server.default = Fault(status=500)
    assert bridge("arena", "judge-check", spec, "--gold", gold, "-o", tmp_path / "b", "-q").exit_code == 5


def test_votes_of_people_as_gold_and_agreement(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run"
    arena(spec, run)
    vote_all(ballot(run))
    for people in (run, run / "votes" / "anna.jsonl"):
        done = bridge("arena", "judge-check", spec, "--human", people, "-o", tmp_path / "check", "-q", "--json")
        assert done.exit_code == 0, done.stderr
        (measured,) = json.loads(done.stdout)["judges"]
        assert (measured["pairs"], measured["accuracy"]) == (18, 1.0)
    done = bridge("arena", "agree", run, "--json")
    assert json.loads(done.stdout) == [
        {"one": "anna", "other": "judge", "n": 18, "accuracy": 1.0, "accuracy_no_ties": 1.0, "kappa": 1.0}
    ]
    assert "100.0 %" in bridge("arena", "agree", run).stdout


def test_agree_with_nobody(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run"
    arena(spec, run)
    assert "judge is alone, with 18 verdicts" in bridge("arena", "agree", run).stdout
    assert bridge("arena", "agree", tmp_path).exit_code == 6


def test_what_cannot_be_checked(tmp_path: Path, server: FaultServer, gold: Path) -> None:
    single = write_spec(tmp_path, server.base_url, three(tmp_path), arena={"mode": "single"})
    done = bridge("arena", "judge-check", single, "--gold", gold)
    assert (done.exit_code, "mode single has none" in done.stderr) == (2, True)
    assert bridge("arena", "judge-check", single).exit_code == 2
    assert server.journal == []


def test_forms_of_gold(tmp_path: Path) -> None:
    rows = [
        {"question": "q", "answer_a": "a", "answer_b": "b", "winner": "tie"},
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"instruction": "i", "input": "x", "response1": "a", "response2": "b", "annotator1": 2, "annotator2": 2},
        {"question": "q", "answer_a": True, "answer_b": "b", "winner": "a"},
    ]
    found = read_gold(write_lines(tmp_path / "g.jsonl", rows))
    assert [(pair.turns, pair.label) for pair in found.pairs] == [
        (("q",), "tie"),
        (("q",), "first"),
        (("i\n\nx",), "second"),
    ]
    assert len(found.left_out) == 1
    bad = [{"question": "q"}, {"answer_a": "a", "answer_b": "b"}, {"question": "q", **rows[0], "winner": "who"}]
    with pytest.raises(SpecError) as error:
        read_gold(write_lines(tmp_path / "bad.jsonl", bad))
    assert len(error.value.problems) == 3


@pytest.mark.skipif(not DATA.exists(), reason="the shared data is not there")
def test_real_gold() -> None:
    llmbar = read_gold(DATA / "llmbar" / "Natural" / "dataset.json")
    assert (len(llmbar.pairs), sum(pair.label == "first" for pair in llmbar.pairs)) == (100, 42)
    pandalm = read_gold(DATA / "pandalm" / "testset-v1.json")
    labels = [pair.label for pair in pandalm.pairs]
    assert len(pandalm.left_out) + len(labels) == 999
    assert labels.count("second") > labels.count("first") > labels.count("tie")


def test_rows_of_a_check_are_battles(tmp_path: Path, server: FaultServer, gold: Path) -> None:
    spec = write_spec(tmp_path, server.base_url, three(tmp_path))
    bridge("arena", "judge-check", spec, "--gold", gold, "-o", tmp_path / "check", "-q")
    rows = rows_of(tmp_path / "check")
    assert {(row["model_a"], row["model_b"]) for row in rows} == {("first", "second")}


@pytest.mark.skipif(not DATA.exists(), reason="the shared data is not there")
def test_published_verdicts_of_a_real_judge(tmp_path: Path, server: FaultServer) -> None:
    """GPT-4 on LLMBar Natural, said again word for word: 95 and 96 of 100 right, 93 in both orders, κ 0.8977."""
    folder = DATA / "llmbar" / "Natural"
    published = json.loads((folder / "evaluators" / "GPT-4" / "Vanilla" / "result.json").read_text(encoding="utf-8"))

    def said(prompt: str) -> str:
        _, first, second = (part.split("\n", 1)[1] for part in re.split(r"<(?:task|answer-[AB]) \w+>", prompt)[1:])
        shown = [text.rsplit("\n</", 1)[0] for text in (first, second)]
        row = next(row for row in published if {row["output_1"], row["output_2"]} == set(shown))
        swapped = shown[0] != row["output_1"]
        winner = row["results"][0][f"swap = {swapped}"]["winner"]
        return "[[A]]" if (winner == "1") is not swapped else "[[B]]"

    server.answer = said
    spec = write_spec(tmp_path, server.base_url, three(tmp_path))
    run = tmp_path / "check"
    done = bridge("arena", "judge-check", spec, "--gold", folder / "dataset.json", "-o", run, "-q", "--json")
    assert done.exit_code == 0, done.stderr
    (gpt4,) = json.loads(done.stdout)["judges"]
    assert (gpt4["pairs"], gpt4["accuracy"], gpt4["consistent"]) == (100, 0.955, 0.95)
    assert gpt4["accuracy_consistent"] == pytest.approx(93 / 95)
    assert gpt4["accuracy_tie_half"] == pytest.approx((93 + 0.5 * 5) / 100)
    assert gpt4["kappa_orders"] == pytest.approx(0.8977086743)
