"""A comparison as Markdown, for a pull request or a note."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.report.compare_schema import Against, Comparison, DatasetComparison
from bridge.report.compare_words import (
    change_words,
    headline,
    interval_words,
    load_cells,
    loads_headline,
    name_of,
    p_words,
    remarks,
    suite_words,
    title,
    value_words,
)
from bridge.report.markdown import escaped

_VERDICT = {"better": "**better**", "worse": "**worse**", "no difference shown": "no difference shown"}


def comparison_markdown(comparison: Comparison) -> str:
    lines = [f"# {escaped(title(comparison))}", ""]
    for against in comparison.against:
        if len(comparison.against) > 1:
            lines += [f"## {escaped(against.candidate.label)}", ""]
        lines += [*_settings(against), *_loads(against)]
        if against.datasets or not against.loads:
            lines += [*_numbers(against)]
        lines += [*_remarks(against)]
    return "\n".join(lines) + "\n"


def _settings(against: Against) -> Iterator[str]:
    told = [one for one in against.differences if one.kind != "origin"]
    if not told:
        yield from ("The settings are the same.", "")
        return
    yield from ("What differs in the settings:", "", "| | dataset | baseline | candidate |", "|---|---|---|---|")
    for one in told:
        name = f"**{escaped(one.name)}**" if one.kind == "score" else escaped(one.name)
        yield f"| {name} | {escaped(one.dataset or '')} | {escaped(one.baseline)} | {escaped(one.candidate)} |"
    yield ""


def _loads(against: Against) -> Iterator[str]:
    if not against.loads:
        return
    yield from (f"{loads_headline(against.loads)}.", "")
    yield "| load | metric | baseline | candidate | difference | 95 % interval | p (Holm) | |"
    yield "|---|---|---:|---:|---:|---:|---:|---|"
    for one in against.loads:
        cells = (escaped(one.load), one.metric, *load_cells(one), _VERDICT.get(one.verdict or "", one.note))
        yield f"| {' | '.join(cells)} |"
    yield ""


def _numbers(against: Against) -> Iterator[str]:
    yield f"{headline(against)[0].upper()}{escaped(headline(against)[1:])}."
    yield ""
    if not against.datasets:
        return
    names = ("dataset", "pairs", "baseline", "candidate", "difference", "95 % interval", "p", "p (Holm)", "won", "lost")
    yield f"| {' | '.join(names)} | |"
    yield "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---|"
    for one in against.datasets:
        yield f"| {' | '.join(_cells(one, against))} | {_VERDICT[one.verdict]} |"
    yield ""
    if against.suite is not None:
        yield from (f"{suite_words(against)}.", "")


def _cells(one: DatasetComparison, against: Against) -> Iterator[str]:
    yield escaped(name_of(one, against))
    yield f"{one.n:,}"
    yield value_words(one.baseline, one.unit)
    yield value_words(one.candidate, one.unit)
    yield change_words(one.difference, one.unit)
    yield interval_words(one.ci95, one.unit)
    yield p_words(one.p_value)
    yield p_words(one.p_holm)
    yield f"{one.gained:,}"
    yield f"{one.lost:,}"


def _remarks(against: Against) -> Iterator[str]:
    lines = [
        f"- {escaped(name_of(one, against))}: {escaped(text, 500)}" for one in against.datasets for text in remarks(one)
    ]
    lines += [f"- not compared: {escaped(one.dataset)}: {escaped(one.reason, 500)}" for one in against.not_compared]
    yield from lines
    if lines:
        yield ""
