"""What a comparison says in words and numbers: the same in the terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.report.compare_schema import (
    Against,
    Comparison,
    DatasetComparison,
    LoadDifference,
    Noise,
    Reason,
    Unpaired,
)
from bridge.report.language import Translate, counted, english
from bridge.report.numbers import NO_VALUE
from bridge.report.text import visible

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


def title(comparison: Comparison, _: Translate = english) -> str:
    names = ", ".join(against.candidate.label for against in comparison.against)
    return _("{names} against {baseline}").format(names=names, baseline=comparison.baseline.label)


def name_of(one: DatasetComparison, against: Against) -> str:
    """The dataset, with its backend where it is there through several."""
    if one.baseline_backend != one.candidate_backend:
        return f"{one.dataset} ({one.baseline_backend} → {one.candidate_backend})"
    several = sum(other.dataset == one.dataset for other in against.datasets) > 1
    return f"{one.dataset} ({one.baseline_backend})" if several else one.dataset


def headline(against: Against, _: Translate = english) -> str:
    """One sentence: is it real, how big, where."""
    if not against.datasets:
        return _("nothing could be compared")
    worse = [name_of(one, against) for one in against.datasets if one.verdict == "worse"]
    better = [name_of(one, against) for one in against.datasets if one.verdict == "better"]
    parts = [_("worse on {names}").format(names=_listed(worse, _))] if worse else []
    parts += [_("better on {names}").format(names=_listed(better, _))] if better else []
    rest = len(against.datasets) - len(worse) - len(better)
    if rest and parts:
        parts.append(_("no difference shown on {datasets}").format(datasets=counted(rest, "dataset", _)))
    return "; ".join(parts) or _("no difference shown")


def suite_words(against: Against, _: Translate = english) -> str:
    suite = against.suite
    if suite is None:
        return ""
    change, interval = change_words(suite.difference, "fraction"), interval_words(suite.ci95, "fraction")
    return f"{_('mean over {n} datasets').format(n=suite.datasets)}: {change} {interval}"


def lines(text: str) -> str:
    """The text with its line ends, and nothing else in it that acts."""
    return "\n".join(map(visible, text.splitlines()))


def unpaired_words(unpaired: Unpaired, _: Translate = english) -> str:
    counts = {name: count for name, count in unpaired.model_dump().items() if count}
    return ", ".join(f"{count:,} {_(_UNPAIRED[name])}" for name, count in counts.items())


def remarks(one: DatasetComparison, _: Translate = english) -> Iterator[str]:
    """What there is to say about a dataset besides its numbers."""
    if one.unpaired.total:
        told = _("{samples} not in it").format(samples=counted(one.unpaired.total, "sample", _))
        yield f"{told}: {unpaired_words(one.unpaired, _)}{_bounds(one, _)}"
    if one.detectable is not None and one.verdict == "no difference shown":
        yield _("could have seen {size}").format(size=_size(one.detectable, one.unit))
    yield from causes(one, _)
    yield from _reasons(one, _)
    if one.design_effect is not None:
        clusters = counted(one.groups, "cluster", _)
        yield _("{clusters}; they make the variance {times:.2f} times as large").format(
            clusters=clusters, times=one.design_effect
        )
    if one.noise is not None:
        yield _noise(one.noise, _)
    yield from one.notes


def causes(one: DatasetComparison, _: Translate = english) -> Iterator[str]:
    """What often explains lost answers."""
    s, lost = one.symptoms, counted(one.lost, "lost answer", _)
    if s.lost_unparsed:
        yield _(
            "out of {n:,} of {lost} nothing could be read (unread in all: {all:,}, baseline {before:,}): "
            "look at the format"
        ).format(n=s.lost_unparsed, lost=lost, all=s.unparsed_candidate or 0, before=s.unparsed_baseline or 0)
    if s.lost_truncated:
        yield _(
            "{n:,} of {lost} ended at the limit of tokens (in all: {all:,}, baseline {before:,}): look at max_tokens"
        ).format(n=s.lost_truncated, lost=lost, all=s.truncated_candidate, before=s.truncated_baseline)


def subset_caption() -> str:
    return "largest losses first; q by Benjamini and Hochberg, for finding places to look at, not for claims"


def _reasons(one: DatasetComparison, _: Translate) -> Iterator[str]:
    """Of interest where the frameworks differ, or where something else than the answer makes the difference."""
    if one.baseline_backend == one.candidate_backend and set(one.reasons) <= {"answer"}:
        return
    total = counted(sum(one.reasons.values()), "sample", _)
    told = [f"{count:,} {_(_REASONS[reason])}" for reason, count in one.reasons.items()]
    if told:
        yield _("of {samples} that differ, {reasons}").format(samples=total, reasons="; ".join(told))


def _noise(noise: Noise, _: Translate) -> str:
    again = _("{share:.0f} % of the variance comes from asking again ({before:g} and {after:g} times)").format(
        share=100 * noise.share_within, before=noise.repeats_baseline, after=noise.repeats_candidate
    )
    more = _("more repeats would help most") if noise.share_within > LESS_SURE else _("more samples would help most")
    return f"{again}: {more}"


def _bounds(one: DatasetComparison, _: Translate) -> str:
    if one.bounds is None or one.bounds[0] == one.bounds[1]:
        return ""
    low, high = (change_words(bound, one.unit) for bound in one.bounds)
    return _("; were all without a score lost or all won, the difference would be {low} or {high}").format(
        low=low, high=high
    )


def _size(value: float, unit: str) -> str:
    return f"{100 * value:.2g} pp" if unit == "fraction" else f"{value:.3g}"


def _signed(value: float, unit: str) -> str:
    return f"{100 * value:+.2f}" if unit == "fraction" else f"{value:+,.4g}"


def _listed(names: list[str], _: Translate) -> str:
    if len(names) <= 4:
        return ", ".join(names)
    return _("{names} and {n} more").format(names=", ".join(names[:3]), n=len(names) - 3)


def load_cells(one: LoadDifference) -> tuple[str, ...]:
    """Baseline, candidate, difference, interval, p: latencies in milliseconds, shares in percent."""
    factor = {"seconds": 1e3, "fraction": 100.0}.get(one.unit, 1.0)
    unit = {"seconds": " ms", "fraction": " %", "per_second": " /s"}.get(one.unit, "")
    interval = "–" if one.ci95 is None else f"[{factor * one.ci95[0]:+.3g}, {factor * one.ci95[1]:+.3g}]"
    p = "–" if one.p_holm is None else "<0.0001" if one.p_holm < 1e-4 else f"{one.p_holm:.2g}"
    values = (f"{factor * value:,.4g}{unit}" for value in (one.baseline, one.candidate))
    return (*values, f"{factor * one.difference:+,.3g}", interval, p)


def loads_headline(found: Sequence[LoadDifference]) -> str:
    """One sentence: at how many loads something is better, or worse."""
    better, worse = ({one.load for one in found if one.verdict == word} for word in ("better", "worse"))
    loads = len({one.load for one in found})
    if not loads:
        return "the two tests have no load in common"
    return f"{loads} loads in common; something is better at {len(better)}, something is worse at {len(worse)}"
