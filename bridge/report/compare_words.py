"""What a comparison says in words and numbers: the same in the terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.report.compare_schema import (
    Against,
    Comparison,
    DatasetComparison,
    Noise,
    Reason,
    Unpaired,
)
from bridge.report.numbers import NO_VALUE
from bridge.report.text import plural, visible

_UNPAIRED = {
    "error_in_baseline": "no score in the baseline",
    "error_in_candidate": "no score in the candidate",
    "error_in_both": "no score on both sides",
    "only_in_baseline": "only in the baseline",
    "only_in_candidate": "only in the candidate",
    "other_prompt": "asked with another prompt",
    "ambiguous": "with an id that stands for several",
    "unreadable": "unreadable lines",
}
_REASONS: dict[Reason, str] = {
    "prompt": "were asked with another prompt and answered differently",
    "answer": "were asked the same and answered differently",
    "extraction": "have the same answer, out of which something else was read",
    "scoring": "have the same answer and the same reading, scored differently",
}
LESS_SURE = 0.5
"""Above this share of the variance it pays to ask again."""


def value_words(value: float, unit: str) -> str:
    return f"{100 * value:.2f} %" if unit == "fraction" else f"{value:,.4g}"


def change_words(value: float, unit: str) -> str:
    """``-0.42 pp`` (percentage points), ``+0.31``."""
    return f"{_signed(value, unit)} pp" if unit == "fraction" else _signed(value, unit)


def interval_words(interval: tuple[float, float] | None, unit: str) -> str:
    """``[-0.88, +0.04]``, in the unit of the change; a dash where there is none."""
    return NO_VALUE if interval is None else f"[{_signed(interval[0], unit)}, {_signed(interval[1], unit)}]"


def p_words(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def title(comparison: Comparison) -> str:
    names = ", ".join(against.candidate.label for against in comparison.against)
    return f"{names} against {comparison.baseline.label}"


def name_of(one: DatasetComparison, against: Against) -> str:
    """The dataset, with its backend where it is there through several."""
    if one.baseline_backend != one.candidate_backend:
        return f"{one.dataset} ({one.baseline_backend} → {one.candidate_backend})"
    several = sum(other.dataset == one.dataset for other in against.datasets) > 1
    return f"{one.dataset} ({one.baseline_backend})" if several else one.dataset


def headline(against: Against) -> str:
    """One sentence: is it real, how big, where."""
    if not against.datasets:
        return "nothing could be compared"
    worse = [name_of(one, against) for one in against.datasets if one.verdict == "worse"]
    better = [name_of(one, against) for one in against.datasets if one.verdict == "better"]
    parts = [f"worse on {_listed(worse)}"] if worse else []
    parts += [f"better on {_listed(better)}"] if better else []
    rest = len(against.datasets) - len(worse) - len(better)
    if rest:
        parts.append(f"no difference shown on {plural(rest, 'dataset')}" if parts else "no difference shown")
    return "; ".join(parts)


def suite_words(against: Against) -> str:
    suite = against.suite
    if suite is None:
        return ""
    change, interval = change_words(suite.difference, "fraction"), interval_words(suite.ci95, "fraction")
    return f"mean over {suite.datasets} datasets: {change} {interval}"


def lines(text: str) -> str:
    """The text with its line ends, and nothing else in it that acts."""
    return "\n".join(map(visible, text.splitlines()))


def unpaired_words(unpaired: Unpaired) -> str:
    counts = {name: count for name, count in unpaired.model_dump().items() if count}
    return ", ".join(f"{count:,} {_UNPAIRED[name]}" for name, count in counts.items())


def remarks(one: DatasetComparison) -> Iterator[str]:
    """What there is to say about a dataset besides its numbers."""
    if one.unpaired.total:
        yield f"{plural(one.unpaired.total, 'sample')} not in it: {unpaired_words(one.unpaired)}{_bounds(one)}"
    if one.detectable is not None and one.verdict == "no difference shown":
        yield f"could have seen {_size(one.detectable, one.unit)}"
    yield from causes(one)
    yield from _reasons(one)
    if one.design_effect is not None:
        yield f"{plural(one.groups, 'cluster')}; they make the variance {one.design_effect:.2f} times as large"
    if one.noise is not None:
        yield _noise(one.noise)
    yield from one.notes


def causes(one: DatasetComparison) -> Iterator[str]:
    """What often explains lost answers."""
    s = one.symptoms
    if s.lost_unparsed:
        yield (
            f"out of {s.lost_unparsed:,} of {plural(one.lost, 'lost answer')} nothing could be read "
            f"(unread in all: {s.unparsed_candidate or 0:,}, baseline {s.unparsed_baseline or 0:,}): look at the format"
        )
    if s.lost_truncated:
        yield (
            f"{s.lost_truncated:,} of {plural(one.lost, 'lost answer')} ended at the limit of tokens "
            f"(in all: {s.truncated_candidate:,}, baseline {s.truncated_baseline:,}): look at max_tokens"
        )


def subset_caption() -> str:
    return "largest losses first; q by Benjamini and Hochberg, for finding places to look at, not for claims"


def _reasons(one: DatasetComparison) -> Iterator[str]:
    """Of interest where the frameworks differ, or where something else than the answer makes the difference."""
    if one.baseline_backend == one.candidate_backend and set(one.reasons) <= {"answer"}:
        return
    total = sum(one.reasons.values())
    told = [f"{count:,} {_REASONS[reason]}" for reason, count in one.reasons.items()]
    if told:
        yield f"of {plural(total, 'sample')} that differ, {'; '.join(told)}"


def _noise(noise: Noise) -> str:
    share = f"{100 * noise.share_within:.0f} % of the variance comes from asking again"
    times = f"({noise.repeats_baseline:g} and {noise.repeats_candidate:g} times)"
    better = "more repeats" if noise.share_within > LESS_SURE else "more samples"
    return f"{share} {times}: {better} would help most"


def _bounds(one: DatasetComparison) -> str:
    if one.bounds is None or one.bounds[0] == one.bounds[1]:
        return ""
    low, high = (change_words(bound, one.unit) for bound in one.bounds)
    return f"; were all without a score lost or all won, the difference would be {low} or {high}"


def _size(value: float, unit: str) -> str:
    return f"{100 * value:.2g} pp" if unit == "fraction" else f"{value:.3g}"


def _signed(value: float, unit: str) -> str:
    return f"{100 * value:+.2f}" if unit == "fraction" else f"{value:+,.4g}"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
