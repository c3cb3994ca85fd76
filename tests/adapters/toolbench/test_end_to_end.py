"""The backend through the whole pipeline: real processes, a real gateway, two real servers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Fault, FaultServer
from server_thread import ServerThread, serving
from toolbench_files import Json, raw_answer

from bridge.report.schema import Report, ResultRow, Status
from bridge.runs import run
from bridge.spec import TaskSpec

SHARED = Path(__file__).parents[4] / "shared" / "data" / "toolbench" / "data_example" / "answer"


def verdict(prompt: str) -> str:
    if "Assistant A" in prompt:
        return json.dumps({"reason": "r", "better": "tie"})
    return json.dumps({"reason": "r", "status": "solved" if "yes" in prompt else "unsolved"})


@pytest.fixture
def model(static_rows: dict[str, list[Json]]) -> Iterator[ServerThread]:
    """Knows the reference of every row."""
    targets = {row["messages"][-1]["content"]: row["target"] for rows in static_rows.values() for row in rows}
    with serving(FaultServer(model="tiny", answer=lambda prompt: targets.get(prompt, "I do not know."))) as thread:
        yield thread


@pytest.fixture
def judge() -> Iterator[ServerThread]:
    with serving(FaultServer(model="judge", answer=verdict)) as thread:
        yield thread


def spec(model: ServerThread, judge: ServerThread | None, datasets: list[Json], **fields: Any) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "model": {"name": "tiny", "endpoint": {"base_url": model.server.base_url}},
            "judge": {"name": "judge", "endpoint": {"base_url": judge.server.base_url}} if judge else None,
            "backend": "toolbench",
            "datasets": datasets,
            "max_retries": 1,
            **fields,
        }
    )


def row(report: Report, dataset: str, metric: str) -> ResultRow:
    (found,) = [row for row in report.results if (row.dataset, row.metric, row.subset) == (dataset, metric, None)]
    return found


def test_all_three_in_one_report(model: ServerThread, judge: ServerThread, static_folder: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers" / "tiny" / "G1_instruction"
    answers.mkdir(parents=True)
    for query_id, final in (("1", "yes"), ("2", "no"), ("3", "")):
        (answers / f"{query_id}_CoT@1.json").write_text(json.dumps(raw_answer(f"Query {query_id}", final)))
    task = spec(
        model,
        judge,
        [
            {"name": "toolbench_static", "path": str(static_folder)},
            {"name": "toolbench_pass_rate", "path": str(tmp_path / "answers")},
            {"name": "toolbench_win_rate", "path": str(tmp_path / "answers")},
        ],
        options={"toolbench": {"reference": str(answers.parent), "judge": {"votes": 3}}},
    )
    report = run(task, output=tmp_path / "run")
    assert (report.status, report.exit_code, report.errors) == (Status.COMPLETE, 0, ())
    assert {(found.dataset, found.metric) for found in report.results if found.primary} == {
        ("toolbench_static", "f1"),
        ("toolbench_pass_rate", "pass_rate"),
        ("toolbench_win_rate", "win_rate"),
    }
    for metric in ("f1", "plan_em", "act_em", "rouge_l"):
        assert row(report, "toolbench_static", metric).value == 1
    assert row(report, "toolbench_pass_rate", "pass_rate").value == pytest.approx(1 / 3)
    assert row(report, "toolbench_win_rate", "tie_rate").value == 1
    assert len(judge.server.journal) == 2 * 2 * 3, "the model's votes serve both datasets; the reference has its own"
    assert run(task, output=tmp_path / "run") == report
    assert len(model.server.journal) == 6


def test_requests_that_fail_make_the_run_partial(model: ServerThread, static_folder: Path, tmp_path: Path) -> None:
    model.server.rule = lambda body: Fault(status=400 if "Query 1" in str(body["messages"]) else 200)
    task = spec(model, None, [{"name": "toolbench_static", "path": str(static_folder)}])
    report = run(task, output=tmp_path / "run")
    assert (report.status, report.exit_code) == (Status.PARTIAL, 7)
    found = row(report, "toolbench_static", "f1")
    assert (found.value, found.n, found.n_errors) == (1, 3, 1)
    model.server.rule = None
    assert run(task, output=tmp_path / "run").status is Status.COMPLETE
    assert len(model.server.journal) == 7


@pytest.mark.skipif(not SHARED.is_dir(), reason="ToolBench's example data is not here")
def test_the_real_trajectories(model: ServerThread, tmp_path: Path) -> None:
    datasets = [{"name": "toolbench_static", "path": str(SHARED)}]
    report = run(spec(model, None, datasets, options={"toolbench": {"style": "tools"}}), output=tmp_path / "run")
    assert report.status is Status.COMPLETE
    assert {metric: row(report, "toolbench_static", metric).n for metric in ("plan_em", "act_em", "rouge_l")} == {
        "plan_em": 36,
        "act_em": 26,
        "rouge_l": 7,
    }
    assert row(report, "toolbench_static", "plan_em").value == 0, "a model that calls nothing is right about nothing"
