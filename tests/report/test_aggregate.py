"""Rows from per-sample scores: order, counts, averages, and what is never counted."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pytest
from fakes import make_record, make_row
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.aggregate import MetricInfo, ScoredSample, aggregate
from bridge.report.schema import ResultRow, Status

ACCURACY = [MetricInfo("accuracy")]
TEMPLATE = make_row(value=None, n=0, stderr=None, ci95=None, settings={"limit": 5}, samples="samples/native/x.jsonl")


def rows_of(records: list[Any], **options: Any) -> list[ResultRow]:
    return list(aggregate(records, template=TEMPLATE, metrics=options.pop("metrics", ACCURACY), **options))


def hit(sample_id: str, score: float | None = 1.0, **fields: Any) -> ScoredSample:
    return ScoredSample(sample_id, {} if score is None else {"accuracy": score}, **fields)


def test_sample_records_and_scored_samples_say_the_same() -> None:
    full = [make_record(sample_id=str(at), scores={"accuracy": float(at % 2)}) for at in range(10)]
    light = [ScoredSample(r.sample_id, r.scores, r.error, r.subset, r.repeat) for r in full]
    assert rows_of(full) == rows_of(light)


def test_one_row_without_subsets() -> None:
    (row,) = rows_of([hit(str(at), float(at < 3)) for at in range(4)])
    assert (row.value, row.n, row.n_errors, row.status, row.reason) == (0.75, 4, 0, Status.COMPLETE, None)
    assert row.primary and row.subset is None and row.metric == "accuracy"
    assert row.settings == {"limit": 5} and row.samples == "samples/native/x.jsonl"
    ResultRow.model_validate(row.model_dump())


def test_order_of_rows() -> None:
    records = [hit(str(at), float(at % 2), subset=subset) for subset in ("law", "art", "bio") for at in range(4)]
    metrics = [MetricInfo("other"), MetricInfo("accuracy", primary=True)]
    scored = [r._replace(scores={**r.scores, "other": 1.0}) for r in records]
    rows = rows_of(scored, metrics=metrics, categories={"law": "soft", "art": "soft", "bio": "hard"})
    labels = [(row.category, row.subset, row.metric) for row in rows]
    assert labels[:4] == [(None, None, name) for name in ("accuracy", "accuracy_macro", "other", "other_macro")]
    assert labels[4:8] == [("soft", None, name) for name in ("accuracy", "accuracy_macro", "other", "other_macro")]
    assert labels[8:10] == [("hard", None, name) for name in ("accuracy", "other")]
    assert labels[10:] == [
        (c, s, name) for c, s in (("soft", "law"), ("soft", "art"), ("hard", "bio")) for name in ("accuracy", "other")
    ]
    assert [row.primary for row in rows] == [True] + [False] * (len(rows) - 1)


def test_micro_and_macro() -> None:
    records = [hit(str(at), 1.0, subset="a") for at in range(9)] + [hit("0", 0.0, subset="b")]
    micro, macro, *_ = rows_of(records)
    assert (micro.metric, micro.value, micro.primary) == ("accuracy", 0.9, True)
    assert (macro.metric, macro.value, macro.primary) == ("accuracy_macro", 0.5, False)
    assert micro.settings == {"limit": 5, "average": "micro"} and macro.settings["average"] == "macro"
    macro, micro, *_ = rows_of(records, average="macro")
    assert (macro.metric, macro.value, macro.primary) == ("accuracy", 0.5, True)
    assert (micro.metric, micro.value, micro.primary) == ("accuracy_micro", 0.9, False)


def test_errors_are_in_no_value() -> None:
    records = [hit("0"), hit("1", 1.0, error="HTTP 500\nafter 6 tries"), hit("2", None), hit("3", math.nan)]
    (row,) = rows_of(records)
    assert (row.value, row.n, row.n_errors, row.status) == (1.0, 1, 3, Status.PARTIAL)
    assert row.reason == "3 of 4 samples were not scored; first: HTTP 500 after 6 tries"


def test_nothing_scored_is_null_with_a_reason() -> None:
    (row,) = rows_of([hit(str(at), error="connection refused") for at in range(5)])
    assert (row.value, row.n, row.n_errors, row.status) == (None, 0, 5, Status.FAILED)
    assert row.reason == "none of 5 samples was scored; first: connection refused"
    (row,) = rows_of([])
    assert (row.value, row.status, row.reason) == (None, Status.FAILED, "there was no sample")


def test_a_subset_without_value_is_named() -> None:
    records = [hit("0", subset="a"), hit("1", 0.0, subset="a"), hit("0", subset="b", error="no answer")]
    micro, macro, _, b = rows_of(records)
    assert (micro.value, micro.n_errors, macro.value, b.value) == (0.5, 1, 0.5, None)
    assert macro.reason is not None and macro.reason.startswith("1 of 2 subsets have no value")
    assert macro.status is Status.PARTIAL


def test_a_metric_that_some_samples_lack() -> None:
    records = [ScoredSample(str(at), {"f1": 0.5} | ({"em": 1.0} if at else {})) for at in range(3)]
    f1, em = rows_of(records, metrics=[MetricInfo("f1"), MetricInfo("em")])
    assert (f1.n, f1.n_errors, em.n, em.n_errors) == (3, 0, 2, 1)
    assert em.reason is not None and "no em for sample 0" in em.reason


def test_scattered_repeats_cost_the_interval_not_the_value() -> None:
    together = [hit(str(at), float(at % 2), repeat=repeat) for at in range(6) for repeat in range(3)]
    (row,) = rows_of(together)
    assert row.n == 18 and row.ci95 is not None and row.reason is None
    by_round = sorted(together, key=lambda record: record.repeat)
    (row,) = rows_of(by_round)
    assert row.value == 0.5 and row.ci95 is None and row.stderr is None
    assert row.reason is not None and "repeats" in row.reason and row.status is Status.COMPLETE


def test_intervals_stay_within_the_metric() -> None:
    records = [ScoredSample(str(at), {"rating": value}) for at, value in enumerate([10.0, 10.0, 9.0])]
    (row,) = rows_of(records, metrics=[MetricInfo("rating", unit="rating", min_value=1.0, max_value=10.0)])
    assert row.ci95 is not None and row.ci95[1] == 10.0 and row.unit == "rating"
    (row,) = rows_of(records, metrics=[MetricInfo("rating", unit="rating", min_value=None, max_value=None)])
    assert row.ci95 is not None and row.ci95[1] > 10.0


@pytest.mark.parametrize("metrics", [[], [MetricInfo("a", primary=True), MetricInfo("b", primary=True)]])
def test_two_primaries_or_none_are_a_mistake_of_the_caller(metrics: list[MetricInfo]) -> None:
    with pytest.raises(ValueError, match="primary"):
        rows_of([], metrics=metrics)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0.0, 1.0, 0.25, None]), st.booleans()),
        max_size=80,
    )
)
def test_counts_add_up(cases: list[tuple[str | None, float | None, bool]]) -> None:
    records = [
        hit(str(at), score, subset=subset, error="lost" if lost else None)
        for at, (subset, score, lost) in enumerate(cases)
    ]
    rows = rows_of(records)
    assert (rows[0].n + rows[0].n_errors) == len(cases)
    by_subset: dict[str | None, list[float]] = defaultdict(list)
    for subset, score, lost in cases:
        if score is not None and not lost:
            by_subset[subset].append(score)
    values = [value for group in by_subset.values() for value in group]
    assert rows[0].value == (math.fsum(values) / len(values) if values else None)
    for row in rows:
        if row.subset is not None:
            own = by_subset[row.subset]
            assert row.n == len(own) and row.value == (math.fsum(own) / len(own) if own else None)
        assert (row.value is None) == (row.status is Status.FAILED) == (row.n == 0)
        assert (row.n_errors > 0) <= (row.reason is not None)
