"""Two performance tests, load by load: each metric's difference, and whether two such runs can differ so by chance.

The requests of two tests are not the same requests, so nothing is paired: the intervals of both sides make that of the
difference. It is of this one pair of runs; what another day would bring is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import erfc, hypot, sqrt

from bridge.report.compare_schema import LoadDifference, Verdict
from bridge.report.compare_sides import Selected
from bridge.report.multiple import holm
from bridge.report.perf_points import DATASET, TRAFFIC, PointRows, points
from bridge.report.schema import ResultRow

ALPHA = 0.05
Z = 1.959964
METRICS = (
    *("ttft.p50", "ttft.p99", "ttft_planned.p50", "ttft_planned.p99", "gap.p50", "gap.p99", "tpot.mean"),
    *("e2e.p50", "e2e.p99", "req_s", "output_tok_s", "goodput", "error_share"),
)
SATURATED = "client saturated: its own limit, not the server's"
SAME = ("input_tokens", "max_tokens", "exact", "turns", "shared_prefix", "images", "arrivals", "slo")
"""Settings that make two loads of one name the same load."""
NEAR = 0.02
"""Mean lengths of drawn prompts differ a little."""


def is_load_test(side: Selected) -> bool:
    return any(row.dataset == DATASET and row.settings.get("source") != TRAFFIC for row in side.rows())


def load_differences(baseline: Selected, candidate: Selected) -> tuple[LoadDifference, ...]:
    """Loads that both sides have, in the baseline's order; what cannot be told has a note instead of a verdict."""
    after = {one.point: one for one in points(candidate.rows())}
    found = [
        one
        for before in points(baseline.rows())
        if before.point in after
        for one in _differences(before, after[before.point])
    ]
    adjusted = iter(holm([one.p_value for one in found if one.p_value is not None]))
    return tuple(one if one.p_value is None else _with_verdict(one, next(adjusted)) for one in found)


def _differences(before: PointRows, after: PointRows) -> Iterator[LoadDifference]:
    note = _incomparable(before, after)
    for metric in METRICS:
        old, new = before.rows.get(metric), after.rows.get(metric)
        if old is None or new is None or old.value is None or new.value is None:
            continue
        stderr = None if note else _stderr(old, new)
        difference = new.value - old.value
        yield LoadDifference(
            load=before.point,
            metric=metric,
            unit=old.unit,
            higher_is_better=old.higher_is_better,
            baseline=old.value,
            candidate=new.value,
            difference=difference,
            ci95=None if stderr is None else (difference - Z * stderr, difference + Z * stderr),
            p_value=None if stderr is None else _p_value(difference, stderr),
            note=note or ("" if stderr is not None else "one side has no interval"),
        )


def _incomparable(before: PointRows, after: PointRows) -> str:
    if "saturated" in (before.verdict, after.verdict):
        return SATURATED
    old, new = before.any.settings, after.any.settings
    differing = [name for name in SAME if not _alike(old.get(name), new.get(name))]
    return f"not the same load: {', '.join(differing)} differ" if differing else ""


def _alike(old: object, new: object) -> bool:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return abs(old - new) <= NEAR * max(abs(old), abs(new))
    return old == new


def _stderr(old: ResultRow, new: ResultRow) -> float | None:
    """From the widths of the two intervals."""
    if old.ci95 is None or new.ci95 is None:
        return None
    widths = (old.ci95[1] - old.ci95[0], new.ci95[1] - new.ci95[0])
    return hypot(*widths) / (2 * Z)


def _p_value(difference: float, stderr: float) -> float:
    if stderr == 0:
        return 0.0 if difference else 1.0
    return erfc(abs(difference) / stderr / sqrt(2))


def _with_verdict(one: LoadDifference, p_holm: float) -> LoadDifference:
    verdict: Verdict = "no difference shown"
    if p_holm <= ALPHA and one.difference:
        verdict = "better" if (one.difference > 0) == one.higher_is_better else "worse"
    return one.model_copy(update={"p_holm": p_holm, "verdict": verdict})
