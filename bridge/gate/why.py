"""The reasons for a verdict, in words, and where to look first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from bridge.gate.schema import DatasetAnswer, PerformanceAnswer, SuiteAnswer
from bridge.report.compare_schema import DatasetComparison
from bridge.report.compare_words import causes, change_words, interval_words
from bridge.report.distributions import normal_quantile
from bridge.report.paired import Z80

Judged = tuple[DatasetAnswer, DatasetComparison | None]


def reasons(
    suite: SuiteAnswer | None,
    datasets: Sequence[Judged],
    performance: Sequence[PerformanceAnswer],
    settings: Sequence[str],
) -> Iterator[str]:
    """What stops the candidate first, then what leaves it open."""
    for answer, comparison in datasets:
        if answer.state in ("worse", "missing"):
            yield from _stopped(answer, comparison)
    if suite is not None and suite.state == "worse":
        yield f"the mean over {suite.datasets} datasets is worse than allowed: {_suite_numbers(suite)}"
    for number in performance:
        if number.state in ("worse", "missing"):
            yield f"{number.name}: {_performance(number)}"
    if settings:
        yield f"settings that are to be the same differ: {'; '.join(settings[:5])}{_more(len(settings) - 5)}"
    for answer, comparison in datasets:
        if answer.state in ("unclear", "not shown"):
            yield from _open(answer, comparison)
    if suite is not None and suite.state == "not shown":
        yield f"the mean over {suite.datasets} datasets is not shown to be well: {_suite_numbers(suite)}"
    for number in performance:
        if number.state == "unclear":
            yield f"{number.name}: the baseline has not measured it"


def limit_words(answer: DatasetAnswer) -> str:
    """``-2.00 pp``, ``+2 %``: the most that the score may lose."""
    if answer.margin is None:
        return ""
    sign = -1 if answer.higher_is_better else 1
    if answer.relative:
        return f"{sign * 100 * answer.margin:+g} %"
    return change_words(sign * answer.margin, answer.unit)


def samples_needed(stderr: float, n: int, margin: float, alpha: float) -> int:
    """How many pairs show an unchanged model to lose less than ``margin``, four times out of five."""
    return ceil(n * (stderr * (normal_quantile(1 - alpha) + Z80) / margin) ** 2)


def _stopped(answer: DatasetAnswer, comparison: DatasetComparison | None) -> Iterator[str]:
    yield from (f"{answer.dataset}: {text}" for text in answer.why)
    if answer.state == "worse" and answer.difference is not None and (answer.p_worse or 0) <= (answer.p_ok or 0):
        yield f"{answer.dataset} is worse than allowed: {_numbers(answer)}"
    if comparison is not None:
        yield from (f"{answer.dataset}: {text}" for text in causes(comparison))


def _open(answer: DatasetAnswer, comparison: DatasetComparison | None) -> Iterator[str]:
    yield from (f"{answer.dataset}: {text}" for text in answer.why)
    if answer.state != "not shown" or comparison is None or answer.margin is None:
        return
    if not answer.floor.endswith("show it"):
        yield f"{answer.dataset} is not shown to be well: {_numbers(answer)}{_enough(answer, comparison)}"


def _enough(answer: DatasetAnswer, one: DatasetComparison) -> str:
    if one.stderr is None or answer.relative or answer.margin is None:
        return ""
    needed = samples_needed(one.stderr, one.n, answer.margin, 0.05)
    if needed <= one.n:
        return ""
    return f"; {needed:,} pairs ({needed / one.n:.1f} times as many, or repeats) would show an unchanged model to be"


def _numbers(answer: DatasetAnswer) -> str:
    difference = change_words(answer.difference or 0.0, answer.unit)
    return f"{difference} {interval_words(answer.ci95, answer.unit)}, limit {limit_words(answer)}"


def _suite_numbers(suite: SuiteAnswer) -> str:
    difference, interval = change_words(suite.difference, "fraction"), interval_words(suite.ci95, "fraction")
    return f"{difference} {interval}, limit {change_words(-suite.max_drop, 'fraction')}"


def _performance(number: PerformanceAnswer) -> str:
    if number.candidate is None:
        return "the candidate has not measured it"
    return f"{number.candidate:g} is not {' and not '.join(number.broken)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
