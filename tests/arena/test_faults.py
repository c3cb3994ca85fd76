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
