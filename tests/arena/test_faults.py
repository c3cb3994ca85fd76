"""Judges and models that fail: counted, undecided, and asked again; never a verdict that nobody gave."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from arena.arenas import judge, make_answers, make_questions, report_of, rows_of, say, write_spec
from arena.test_run import arena, ratings, three
from command import bridge
from fault_server import Fault, FaultServer
from server_thread import ServerThread, serving


def verdicts(run: Path) -> list[str | None]:
    return [row["verdict"] for row in rows_of(run)]


def test_a_judge_that_is_not_there(tmp_path: Path) -> None:
    spec, run = write_spec(tmp_path, "http://127.0.0.1:9/v1", three(tmp_path)), tmp_path / "run"
    assert arena(spec, run).exit_code == 5
    assert set(verdicts(run)) == {None}
    assert {row["error"]["kind"] for row in rows_of(run)} == {"failed"}
    assert all(row["value"] is None for row in report_of(run)["results"] if row["metric"] == "rating")
    with serving(FaultServer(answer=say)) as thread:
        assert arena(write_spec(tmp_path, thread.server.base_url, three(tmp_path)), run).exit_code == 0
        assert len(thread.server.journal) == 36


def test_a_judge_that_does_not_know_its_model(tmp_path: Path, server: FaultServer) -> None:
    probed = {"name": "other", "endpoint": {"base_url": server.base_url}}
    run = tmp_path / "run"
    assert arena(write_spec(tmp_path, server.base_url, three(tmp_path), judge=probed), run).exit_code == 5
    assert "does not serve 'other'" in rows_of(run)[0]["error"]["message"]


def test_every_third_call_fails(tmp_path: Path, server: FaultServer) -> None:
    count = itertools.count()
    server.rule = lambda body: Fault(status=500) if next(count) % 3 == 0 else Fault()
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path), max_retries=0), tmp_path / "run"
    assert arena(spec, run).exit_code == 7
    failed = sum(row["error"] is not None for row in rows_of(run))
    assert failed == 12
    decided = [row for row in rows_of(run, "decisions.jsonl") if row["winner"] != "undecided"]
    assert 0 < len(decided) < 18
    server.rule = None
    server.journal.clear()
    assert arena(spec, run).exit_code == 0
    assert len(server.journal) == failed


def test_down_after_some_calls(tmp_path: Path) -> None:
    with serving(FaultServer(answer=say, default=Fault(latency_s=0.02))) as thread:
        spec, run = write_spec(tmp_path, thread.server.base_url, three(tmp_path, 12)), tmp_path / "run"
        thread.stop_after(30)
        assert arena(spec, run).exit_code == 7
        answered = sum(row["judgment"] is not None for row in rows_of(run))
        assert 20 <= answered <= 30
        assert ratings(run)["good"] is not None
        thread.restart()
        thread.server.journal.clear()
        assert arena(spec, run).exit_code == 0
        assert len(thread.server.journal) == 72 - answered


def test_too_many_requests_are_waited_for(tmp_path: Path, server: FaultServer) -> None:
    server.script(*[Fault(status=429, retry_after="0.1")] * 5)
    assert arena(write_spec(tmp_path, server.base_url, three(tmp_path), max_retries=3), tmp_path / "run").exit_code == 0
    assert len(server.journal) == 36 + 5


@pytest.mark.parametrize("mode", ["garbage", "wrong-schema", "error-in-200", "null-content", "reset"])
def test_nonsense_from_the_server(tmp_path: Path, server: FaultServer, mode: Any) -> None:
    server.default = Fault(mode=mode)
    run = tmp_path / "run"
    spec = write_spec(tmp_path, server.base_url, three(tmp_path), max_retries=0)
    assert arena(spec, run).exit_code == 5
    assert set(verdicts(run)) == {None}
    assert {row["winner"] for row in rows_of(run, "decisions.jsonl")} == {"undecided"}


def test_words_without_a_verdict_are_not_asked_again(tmp_path: Path, server: FaultServer) -> None:
    server.answer = lambda prompt: "As an AI, I love both." if "good says" in prompt else say(prompt)
    run = tmp_path / "run"
    spec = write_spec(tmp_path, server.base_url, three(tmp_path))
    assert arena(spec, run).exit_code == 7
    rows = [row for row in rows_of(run) if row["error"]]
    assert {(row["error"]["kind"], row["judgment"]) for row in rows} == {("unparsed", "As an AI, I love both.")}
    assert report_of(run)["arena"]["judges"][0]["unparsed"] == len(rows) == 24
    assert ratings(run)["good"] is None
    asked = len(server.journal)
    assert arena(spec, run).exit_code == 7
    assert len(server.journal) == asked


def test_scores_that_are_none_in_single_mode(tmp_path: Path, server: FaultServer) -> None:
    server.answer = lambda prompt: "[[11]]" if "good says" in prompt else "[[4]]"
    run = tmp_path / "run"
    spec = write_spec(tmp_path, server.base_url, three(tmp_path), arena={"mode": "single"})
    assert arena(spec, run).exit_code == 7
    assert ratings(run, "score") == {"good": None, "fair": 4.0, "m/poor:1": 4.0}


def test_a_model_that_is_not_there(tmp_path: Path, server: FaultServer) -> None:
    models: dict[str, Any] = {**three(tmp_path), "gone": "http://127.0.0.1:9/v1"}
    spec, run = write_spec(tmp_path, server.base_url, models, max_retries=0), tmp_path / "run"
    done = arena(spec, run)
    assert done.exit_code == 4
    assert ratings(run)["good"] is not None
    assert ratings(run)["gone"] is None
    missing = [row for row in rows_of(run) if "gone" in (row["model_a"], row["model_b"])]
    assert {(row["verdict"], row["error"]["kind"]) for row in missing} == {(None, "no_answer")}


def test_some_answers_of_a_model_fail(tmp_path: Path, server: FaultServer) -> None:
    server.rule = lambda body: (
        Fault(status=400) if "Question 3" in str(body["messages"][-1:]) and is_model(body) else Fault()
    )
    models: dict[str, Any] = {**three(tmp_path), "fault-model": server.base_url}
    spec, run = write_spec(tmp_path, server.base_url, models, max_retries=0), tmp_path / "run"
    assert arena(spec, run).exit_code == 7
    assert sum(row["error"] is not None for row in rows_of(run)) == 6
    server.rule = None
    server.journal.clear()
    assert arena(spec, run).exit_code == 0
    assert len(server.journal) == 1 + 6


def test_a_request_that_failed_is_no_loss(tmp_path: Path, server: FaultServer) -> None:
    """Not with `missing: loss` either: nobody knows what the model would have said."""
    server.rule = lambda body: (
        Fault(status=400) if "Question 3" in str(body["messages"][-1:]) and is_model(body) else Fault()
    )
    models: dict[str, Any] = {**three(tmp_path), "fault-model": server.base_url}
    spec = write_spec(tmp_path, server.base_url, models, max_retries=0, arena={"missing": "loss"})
    run = tmp_path / "run"
    assert arena(spec, run).exit_code == 7
    open_ = [row for row in rows_of(run) if row["error"]]
    assert {(row["question_id"], row["verdict"], row["error"]["kind"]) for row in open_} == {("3", None, "no_answer")}
    assert len(open_) == 6
    told = [error["message"] for error in report_of(run)["errors"] if error["kind"] == "unanswered"]
    assert told[0].startswith("fault-model: 1 of 6 questions were not answered, the first: 3 (not answered: ")
    assert report_of(run)["arena"]["counts"]["undecided"] == 3
    assert bridge("arena", "rate", run).exit_code == 7
    server.rule = None
    assert arena(spec, run).exit_code == 0


def test_losses_that_were_failed_requests_are_taken_back(tmp_path: Path, server: FaultServer) -> None:
    server.rule = lambda body: Fault(status=400) if is_model(body) else Fault()
    models: dict[str, Any] = {**three(tmp_path), "fault-model": server.base_url}
    spec = write_spec(tmp_path, server.base_url, models, max_retries=0, arena={"missing": "loss"})
    run = tmp_path / "run"
    assert arena(spec, run).exit_code == 7
    rows = [{**row, "verdict": row["verdict"] or "a", "error": None} for row in rows_of(run)]
    (run / "battles.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    assert arena(spec, run).exit_code == 7
    assert sum(row["verdict"] is None for row in rows_of(run)) == 36
    assert ratings(run)["fault-model"] is None


def test_what_is_a_loss_with_missing_loss(tmp_path: Path, server: FaultServer) -> None:
    """What the model left empty, and what its file does not hold; not the mark of a request that failed."""
    make_questions(tmp_path, 6)
    given = make_answers(tmp_path, "one", [5, "", None, True, "$ERROR$"])
    models: dict[str, Any] = {"one": given, "two": make_answers(tmp_path, "two", [3] * 6)}
    spec, run = write_spec(tmp_path, server.base_url, models, arena={"missing": "loss"}), tmp_path / "run"
    assert arena(spec, run).exit_code == 7
    first = {row["question_id"]: row["verdict"] for row in rows_of(run)}
    assert first == {"0": "a", "1": "b", "2": "b", "3": "b", "4": None, "5": "b"}
    told = [(error["kind"], error["message"]) for error in report_of(run)["errors"]]
    mark = "the answer is $ERROR$, the mark of a request that failed"
    assert ("warning", "one lacks an answer to 4 of 6 questions, the first: 1 (the answer is empty)") in told
    assert ("unanswered", f"one: 1 of 6 questions were not answered, the first: 4 ({mark})") in told
    spec = write_spec(tmp_path, server.base_url, models, arena={"missing": "skip"})
    assert arena(spec, run).exit_code == 7
    assert [row["verdict"] for row in rows_of(run)].count("b") == 0, "what was a loss is open again"


def test_an_empty_answer_of_a_model_that_is_asked_is_a_loss(tmp_path: Path, server: FaultServer) -> None:
    """In talks: the first turn is answered, the second is empty."""
    make_questions(tmp_path, 1, turns=2)
    server.answer = lambda prompt: "<think>hm</think>" if "turn 2" in prompt and "<talk" not in prompt else say(prompt)
    models: dict[str, Any] = {"fault-model": server.base_url, "two": make_answers(tmp_path, "two", [3], turns=2)}
    spec, run = write_spec(tmp_path, server.base_url, models, arena={"missing": "loss"}), tmp_path / "run"
    assert arena(spec, run).exit_code == 0
    assert {(row["turn"], row["verdict"]) for row in rows_of(run)} == {(1, "a"), (2, "b")}
    assert {row["parser"] for row in rows_of(run) if row["turn"] == 2} == {"missing"}


def is_model(body: dict[str, Any]) -> bool:
    return bool(body["model"] == "fault-model")


def test_torn_and_double_lines_of_battles(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run"
    assert arena(spec, run).exit_code == 0
    path = run / "battles.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], lines[3], lines[-1][:50]]))
    server.journal.clear()
    assert arena(spec, run).exit_code == 0
    assert server.journal == [], "the lost verdict is in the cache"
    assert len(rows_of(run)) == 36


def test_two_verdicts_of_one_call_are_not_chosen_from(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run"
    assert arena(spec, run).exit_code == 0
    path = run / "battles.jsonl"
    rows = rows_of(run)
    other = {**rows[0], "verdict": {"a": "b", "b": "a", "tie": "a"}[rows[0]["verdict"]]}
    path.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, other]), encoding="utf-8")
    for command in (("run", spec, "--output", run, "--quiet"), ("rate", run)):
        done = bridge("arena", *command)
        assert (done.exit_code, "has two verdicts on question" in done.stderr) == (6, True)
    assert len(rows_of(run)) == 37


def test_votes_on_what_is_not_in_the_arena(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run"
    assert arena(spec, run).exit_code == 0
    before = report_of(run)["results"]
    row = {**rows_of(run)[0], "judge": "people", "judge_kind": "human", "annotator": "anna"}
    strange = [{**row, "battle_id": "1", "question_id": "99"}, {**row, "battle_id": "2", "model_b": "zebra"}]
    (run / "votes").mkdir()
    (run / "votes" / "anna.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in strange), encoding="utf-8")
    assert bridge("arena", "rate", run).exit_code == 0
    report = report_of(run)
    assert report["results"] == before
    assert any("2 votes do not count" in error["message"] for error in report["errors"])


def test_a_broken_line_of_battles_loses_nothing(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run"
    assert arena(spec, run).exit_code == 0
    path = run / "battles.jsonl"
    before = path.read_bytes().replace(b'{"battle_id"', b'"battle_id"', 1)
    path.write_bytes(before)
    done = arena(spec, run)
    assert done.exit_code == 6
    assert f"{path}:1" in done.stderr
    assert path.read_bytes() == before


def test_unicode_and_separators_in_names(tmp_path: Path, server: FaultServer) -> None:
    make_questions(tmp_path, 3)
    names = ["bard:20230327", "org/модель", "a, b"]
    models = {name: make_answers(tmp_path / str(at), name, [at + 2, 5, 9 - at]) for at, name in enumerate(names)}
    run = tmp_path / "run"
    assert arena(write_spec(tmp_path, server.base_url, models), run).exit_code == 0
    assert set(ratings(run)) == set(names)
    assert len(list((run / "answers").glob("*.jsonl"))) == 3


def test_one_question_one_turn_and_all_ties(tmp_path: Path, server: FaultServer) -> None:
    make_questions(tmp_path, 1)
    models = {name: make_answers(tmp_path, name, [5]) for name in ("one", "two", "three")}
    run = tmp_path / "run"
    assert arena(write_spec(tmp_path, server.base_url, models), run).exit_code == 0
    assert set(ratings(run).values()) == {1000.0}


@pytest.fixture
def slow() -> Any:
    with serving(FaultServer(answer=say, default=Fault(latency_s=0.01))) as thread:
        yield thread


def test_money_that_was_set_aside_for_calls_that_failed_is_free_again(tmp_path: Path, server: FaultServer) -> None:
    pairs = {"strategy": "balanced", "budget": {"usd": 3.0, "price": {"input": 1000, "output": 1000}}}
    block = {"pairs": pairs}
    spec = write_spec(tmp_path, server.base_url, three(tmp_path, 12), arena=block, concurrency=1, max_retries=0)

    def played(run: Path) -> int:
        assert arena(spec, run).exit_code in (0, 7)
        return sum(row["verdict"] is not None for row in rows_of(run))

    whole = played(tmp_path / "whole")
    server.journal.clear()
    server.script(*[Fault(status=400)] * 6)
    assert played(tmp_path / "run") >= whole - 2, "one match may cost a little more than another"
    assert sum(row["cost"] or 0 for row in rows_of(tmp_path / "run")) <= 3.0


def test_one_judge_of_two_goes_away(tmp_path: Path, server: FaultServer, slow: ServerThread) -> None:
    slow.stop_after(10)
    judges = [judge("judge", server.base_url), judge("frail", slow.server.base_url)]
    run = tmp_path / "run"
    spec = write_spec(tmp_path, "", three(tmp_path), judges=judges, max_retries=0)
    assert arena(spec, run).exit_code == 7
    winners = [row["winner"] for row in rows_of(run, "decisions.jsonl")]
    assert 0 < winners.count("undecided") < 18
    slow.restart()
    assert arena(spec, run).exit_code == 0
    assert len(server.journal) == 36
