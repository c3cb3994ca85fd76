"""Datasets whose evaluator asks a judge: the spec's, by a way of its own; a judge that fails is no verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import opencompass_every as every
import pytest
from fault_server import OK, Asked, Fault, FaultServer, prompt_of
from opencompass_runs import MARKER, Ran, make_task, run_task
from server_thread import serving

from bridge.adapters.opencompass import verdict
from bridge.backend import Endpoint
from bridge.registry import backend
from bridge.report.schema import ErrorKind, ResultRow, Status

OC = backend("opencompass")
JUDGE = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
WORD, CASCADE = (name.replace(".", "-") for name in every.JUDGED)


def judgement(prompt: str) -> str:
    if "test question 3" in prompt:
        return ""
    return "I would rather not say." if "test question 2" in prompt else every.judgement(prompt)


def refuse_one(body: dict[str, Any]) -> Fault:
    unlucky = "test question 1" in prompt_of(body) or "has 1 stones" in prompt_of(body)
    return Fault(status=400, message="too long for the judge") if unlucky else OK


@dataclass(frozen=True)
class Seen:
    ran: Ran
    model: list[Asked]
    judge: list[Asked]

    def primary(self, dataset: str) -> ResultRow:
        (row,) = [row for row in self.ran.results[dataset].rows if row.primary]
        return row


@pytest.fixture(scope="module")
def seen(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    root = tmp_path_factory.mktemp("judging")
    every.write_every(root, 4)
    datasets = [{**every.asked(every.JUDGED[0]), "subsets": ["anatomy"]}, every.asked(every.JUDGED[1]), "gsm8k"]
    task = make_task(datasets, data=str(root), limit=4, judge=JUDGE)
    with (
        serving(FaultServer(answer=every.answer, model="tiny")) as model,
        serving(FaultServer(answer=judgement, model="judge", rule=refuse_one)) as judge,
    ):
        where = judge.server.base_url
        ran = run_task(task, model.server.base_url, python, root / "run", judge_url=where)
        return Seen(ran, list(model.server.journal), list(judge.server.journal))


@pytest.mark.env
def test_the_judge_is_asked_at_its_own_address_with_its_own_key(seen: Seen) -> None:
    assert {asked.body["model"] for asked in seen.judge} == {"judge"}
    assert {asked.headers["Authorization"] for asked in seen.judge} == {"Bearer token-of-the-judge"}
    assert {asked.headers["Authorization"] for asked in seen.model} == {"Bearer token-of-the-run"}
    assert not any("Gold Target" in asked.prompt for asked in seen.model)
    assert len([asked for asked in seen.judge if "test question" in asked.prompt]) == 4


@pytest.mark.env
@pytest.mark.parametrize(("dataset", "n", "n_errors"), [(WORD, 2, 2), (CASCADE, 3, 1)])
def test_a_judge_that_fails_is_an_error_and_no_score(dataset: str, n: int, n_errors: int, seen: Seen) -> None:
    row, records = seen.primary(dataset), list(seen.ran.results[dataset].samples)
    assert (row.status, row.n, row.n_errors) == (Status.PARTIAL, n, n_errors)
    failed, *silent = [record for record in records if record.error]
    assert all("the judge's answer is empty" in (record.error or "") and not record.scores for record in silent)
    assert "the judge gave no verdict" in (failed.error or "") and "too long for the judge" in (failed.error or "")
    assert failed.response is not None and failed.scores == {}
    right = [record.scores["accuracy"] for record in records if not record.error]
    assert row.value == pytest.approx(sum(right) / n)
    (error,) = [one for one in seen.ran.results[dataset].errors if one.kind is ErrorKind.UNANSWERED]
    assert "no verdict of the judge" in error.message


@pytest.mark.env
def test_what_the_judge_said_is_in_the_records(seen: Seen) -> None:
    said = [record.metadata.get("judge") for record in seen.ran.results[WORD].samples]
    assert said[0] in ("A", "B") and said[1] is None and said[2] == "I would rather not say." and said[3] is None
    warnings = [one.message for one in seen.ran.results[WORD].errors if one.kind is ErrorKind.WARNING]
    assert any("answers of the judge do not begin with a verdict" in message for message in warnings)


@pytest.mark.env
def test_a_dataset_without_a_judge_runs_beside_them(seen: Seen) -> None:
    assert (seen.primary("gsm8k").status, seen.primary("gsm8k").n) == (Status.COMPLETE, 4)


@pytest.mark.env
def test_the_judges_key_and_address_are_on_no_disk(seen: Seen) -> None:
    for path in seen.ran.folder.rglob("*"):
        if path.is_file() and path.name != "log.txt":
            assert b"token-of-the-judge" not in path.read_bytes(), path


def test_a_judge_changes_nothing_for_datasets_that_ask_none(tmp_path: Path) -> None:
    every.write_every(tmp_path, 2)
    task = make_task(["siqa", "gsm8k"], data=str(tmp_path), judge=JUDGE)
    assert OC.check(task) == []
    endpoint = Endpoint("http://127.0.0.1:1/v1", "tiny", failed_marker=MARKER)
    judged = replace(endpoint, judge=Endpoint("http://127.0.0.1:2/v1", "judge"))
    plain = make_task(["siqa", "gsm8k"], data=str(tmp_path))
    (first,), (second,) = OC.translate(task, judged), OC.translate(plain, endpoint)
    assert {name for name in first.files if first.files[name] != second.files.get(name)} == {"models.py"}


@pytest.mark.parametrize(
    ("word", "right", "readable"),
    [
        ("A", True, True),
        ("B", False, True),
        ("CORRECT", False, True),
        (" (A)", True, True),
        ("As I see it", True, False),
    ],
)
def test_verdicts_are_read_as_opencompass_reads_them(word: str, right: bool, readable: bool) -> None:
    """``As I see it`` counts as right there: that is what the warning is for."""
    assert (verdict.is_right(word), verdict.is_readable(word)) == (right, readable)
