"""A comparison for the terminal, drawn with rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.report.compare_schema import Against, Answer, Comparison, DatasetComparison, Flip
from bridge.report.compare_words import (
    change_words,
    headline,
    interval_words,
    load_cells,
    loads_headline,
    name_of,
    p_words,
    remarks,
    subset_caption,
    suite_words,
    value_words,
)
from bridge.report.text import one_line, plural, visible

STYLES = {"better": "green", "worse": "red", "no difference shown": "dim"}
MOST_SUBSETS = 12
MOST_FLIPS = 5
"""Of each kind and dataset; JSON and HTML have more."""


def comparison_table(comparison: Comparison) -> RenderableType:
    return Group(*(part for against in comparison.against for part in _against(comparison, against)))


def _against(comparison: Comparison, against: Against) -> Iterator[RenderableType]:
    yield Text(f"{visible(against.candidate.label)} against {visible(comparison.baseline.label)}", style="bold")
    yield from _settings(against)
    if against.loads:
        yield _loads(against)
        yield Text(loads_headline(against.loads))
    if against.datasets or not against.loads:
        yield _numbers(against)
        yield Text(visible(headline(against)))
    if against.suite is not None:
        yield Text(suite_words(against))
    for left in against.not_compared:
        yield Text(f"not compared: {visible(left.dataset)}: {visible(left.reason)}", style="yellow")
    for one in against.datasets:
        yield from _details(one, against)
    yield Text()


def _settings(against: Against) -> Iterator[RenderableType]:
    """What differs in the settings, before any number."""
    told = [one for one in against.differences if one.kind != "origin"]
    if not told:
        yield Text("the settings are the same", style="dim")
        return
    table = Table(box=box.SIMPLE_HEAD, title="what differs in the settings", title_justify="left", title_style="bold")
    for name in ("", "dataset", "baseline", "candidate"):
        table.add_column(name, overflow="fold")
    for one in told:
        style = "yellow" if one.kind == "score" else ""
        cells = (one.name, one.dataset or "", one.baseline, one.candidate)
        table.add_row(*(Text(visible(cell)) for cell in cells), style=style)
    yield table


def _numbers(against: Against) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("dataset", overflow="fold")
    for name in ("pairs", "baseline", "candidate", "difference", "95 % interval", "p", "p (Holm)", "won", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in against.datasets:
        cells = (
            _name(one, against),
            f"{one.n:,}",
            value_words(one.baseline, one.unit),
            value_words(one.candidate, one.unit),
            change_words(one.difference, one.unit),
            interval_words(one.ci95, one.unit),
            p_words(one.p_value),
            p_words(one.p_holm),
            f"{one.gained:,}",
            f"{one.lost:,}",
        )
        table.add_row(*map(Text, cells), Text(one.verdict, style=STYLES[one.verdict]))
    return table


def _loads(against: Against) -> Table:
    """Latencies in milliseconds; equal loads one under the other."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("load", "metric"):
        table.add_column(name, no_wrap=True)
    for name in ("baseline", "candidate", "difference", "95 % interval", "p (Holm)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    last = ""
    for one in against.loads:
        lower = "" if one.higher_is_better else " ↓"
        cells = (one.load if one.load != last else "", f"{one.metric}{lower}", *load_cells(one))
        said = one.verdict or one.note
        table.add_row(*(Text(visible(cell)) for cell in cells), Text(visible(said), style=STYLES.get(said, "yellow")))
        last = one.load
    return table


def _name(one: DatasetComparison, against: Against) -> str:
    lower = "" if one.higher_is_better else " (lower is better)"
    return visible(f"{name_of(one, against)}{lower}")


def _details(one: DatasetComparison, against: Against) -> Iterator[RenderableType]:
    told = list(remarks(one))
    if not told and not one.flips_lost and not one.flips_gained:
        return
    yield Text()
    yield Text(visible(name_of(one, against)), style="bold")
    for line in told:
        yield Text(f"  {visible(line)}")
    if one.subsets:
        yield _subsets(one)
    yield from _flips("lost", one.flips_lost, one.lost)
    yield from _flips("won", one.flips_gained, one.gained)


def _subsets(one: DatasetComparison) -> Table:
    left = len(one.subsets) - MOST_SUBSETS
    more = f"; {plural(left, 'subset')} more in --json and --html" if left > 0 else ""
    table = Table(box=box.SIMPLE_HEAD, caption=f"{subset_caption()}{more}", caption_justify="left")
    table.add_column("subset", overflow="fold")
    for name in ("pairs", "baseline", "candidate", "difference", "95 % interval", "q"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in one.subsets[:MOST_SUBSETS]:
        values = (value_words(part.baseline, one.unit), value_words(part.candidate, one.unit))
        change, interval = change_words(part.difference, one.unit), interval_words(part.ci95, one.unit)
        cells = (visible(part.subset or ""), f"{part.n:,}", *values, change, interval, p_words(part.q_value))
        table.add_row(*map(Text, cells))
    return table


def _flips(word: str, flips: Sequence[Flip], total: int) -> Iterator[Text]:
    for flip in flips[:MOST_FLIPS]:
        name = f"{flip.subset}/{flip.sample_id}" if flip.subset else flip.sample_id
        yield Text(f"  {word} {visible(name)}: {_answer(flip.baseline)} → {_answer(flip.candidate)}", style="dim")
    shown = min(len(flips), MOST_FLIPS)
    if flips and total > shown:
        yield Text(f"  … and {total - shown:,} more {word}", style="dim")


def _answer(answer: Answer) -> str:
    text = answer.extracted if answer.extracted is not None else answer.response
    return one_line(text, 60) if text else "nothing"
