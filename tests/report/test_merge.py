"""The overall status, the order, and the checks on what backends hand in."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import make_model, make_row, make_run

from bridge.backend import BenchmarkResult
from bridge.report.merge import merge
from bridge.report.schema import ErrorKind, Report, ReportError, ResultRow, Status, Usage

LOST = ReportError(kind=ErrorKind.UNANSWERED, message="HTTP 500", model="qwen", backend="native", dataset="gsm8k")


def merged(*results: BenchmarkResult, **options: Any) -> Report:
    options = {"models": [make_model()], "usage": Usage(), **options}
    return merge(results, **make_run().model_dump(exclude={"id", "status"}), run_id="r1", **options)


def result(*rows: ResultRow, errors: tuple[ReportError, ...] = ()) -> BenchmarkResult:
    return BenchmarkResult(rows[0].dataset if rows else "gsm8k", rows, (), errors)


def test_complete() -> None:
    report = merged(result(make_row()))
    assert (report.status, report.exit_code, report.errors) == (Status.COMPLETE, 0, ())


def test_a_warning_leaves_it_complete() -> None:
    warning = ReportError(kind=ErrorKind.WARNING, message="the judge is the model itself")
    report = merged(result(make_row(), errors=(warning,)))
    assert (report.status, report.exit_code, report.errors) == (Status.COMPLETE, 0, (warning,))


def test_partial_rows_make_it_partial_and_are_explained_once() -> None:
    row = make_row(n=97, n_errors=3, status=Status.PARTIAL, reason="3 of 100 samples were not scored")
    report = merged(result(row))
    assert (report.status, report.exit_code) == (Status.PARTIAL, 7)
    assert [(error.kind, error.count) for error in report.errors] == [(ErrorKind.UNANSWERED, 3)]
    assert merged(result(row, errors=(LOST,))).errors == (LOST,)


def test_samples_that_only_a_metric_beside_the_primary_one_lacks_make_it_partial() -> None:
    beside = make_row(metric="rouge_l", primary=False, n=0, n_errors=12, value=None, stderr=None, ci95=None)
    lacking = beside.model_copy(update={"status": Status.FAILED, "reason": "none of 12 samples was scored"})
    report = merged(result(make_row(), lacking, lacking.model_copy(update={"n_errors": 3, "subset": "a"})))
    assert (report.status, report.exit_code) == (Status.PARTIAL, 7)
    assert [(error.kind, error.count) for error in report.errors] == [(ErrorKind.UNANSWERED, 12)]
    empty = lacking.model_copy(update={"n_errors": 0, "reason": "there was no sample"})
    assert merged(result(make_row(), empty)).status is Status.COMPLETE


def test_failed_where_nothing_has_a_value() -> None:
    row = make_row(value=None, n=0, stderr=None, ci95=None, status=Status.FAILED, reason="the job died")
    assert merged(result(row)).status is Status.FAILED
    assert merged(result(row)).exit_code == 6
    assert merged(result(row, errors=(LOST.model_copy(update={"kind": ErrorKind.BACKEND}),))).exit_code == 5
    assert merged(result(row), result(make_row(dataset="arc"))).status is Status.PARTIAL
    assert merged().status is Status.FAILED


def test_an_error_without_a_bad_row_makes_it_partial() -> None:
    broken = ReportError(kind=ErrorKind.INTERRUPTED, message="stopped by the user")
    report = merged(result(make_row()), errors=[broken])
    assert (report.status, report.exit_code) == (Status.PARTIAL, 130)


def test_a_row_that_claims_too_much_is_corrected() -> None:
    report = merged(result(make_row(n_errors=2)))
    assert report.results[0].status is Status.PARTIAL and report.status is Status.PARTIAL


def test_order_is_that_of_the_spec() -> None:
    rows = [
        make_row(model=model, dataset=dataset, backend=backend)
        for model in ("b", "a")
        for backend in ("opencompass", "native")
        for dataset in ("zz", "mmlu", "arc")
    ]
    models = [make_model(name="a"), make_model(name="b")]
    report = merged(*(result(row) for row in rows), models=models, datasets=["mmlu", "arc"])
    assert [(row.model, row.dataset, row.backend) for row in report.results] == [
        (model, dataset, backend)
        for model in ("a", "b")
        for dataset in ("mmlu", "arc", "zz")
        for backend in ("opencompass", "native")
    ]


def test_equal_errors_are_counted_together_most_telling_first() -> None:
    env = ReportError(kind=ErrorKind.ENV, message="no such package")
    report = merged(result(make_row(), errors=(LOST, LOST)), errors=[LOST.model_copy(update={"count": 5}), env])
    assert [(error.kind, error.count) for error in report.errors] == [(ErrorKind.ENV, 1), (ErrorKind.UNANSWERED, 7)]


@pytest.mark.parametrize("marks", [(False, False), (True, True)])
def test_exactly_one_primary(marks: tuple[bool, bool]) -> None:
    rows = [make_row(primary=marks[0]), make_row(metric="other", primary=marks[1])]
    report = merged(result(*rows))
    assert [row.primary for row in report.results] == [True, False]
    assert (report.status, report.exit_code) == (Status.PARTIAL, 6)
    assert f"marked {sum(marks)}" in report.errors[0].message


def test_a_subset_is_never_primary_beside_an_overall_row() -> None:
    rows = [make_row(primary=False), make_row(subset="law", primary=True)]
    report = merged(result(*rows))
    assert [row.primary for row in report.results] == [True, False] and report.exit_code == 6


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": 66.0}, "outside the metric's bounds"),
        ({"value": float("nan")}, "not a number"),
        ({"n": -1}, "negative"),
    ],
)
def test_a_value_that_cannot_be_is_taken_out(fields: dict[str, Any], said: str) -> None:
    report = merged(result(make_row(**fields)), result(make_row(dataset="arc")))
    bad, good = report.results
    assert (bad.value, bad.ci95, bad.status) == (None, None, Status.FAILED) and said in (bad.reason or "")
    assert good.value == 0.6 and report.status is Status.PARTIAL and report.exit_code == 6


def test_a_missing_value_has_a_reason() -> None:
    report = merged(result(make_row(value=None, stderr=None, ci95=None)))
    assert report.results[0].reason == "the backend gave no reason" and report.exit_code == 6


def test_a_result_without_rows_is_an_error() -> None:
    report = merged(BenchmarkResult("gsm8k", ()), result(make_row(dataset="arc")))
    assert report.errors[0].kind is ErrorKind.OUTPUT and report.status is Status.PARTIAL
