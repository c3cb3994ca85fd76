"""The pages that set runs against each other: the comparison, its flips, and a training's curve."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import ValidationError

from bridge.report import compare_html, compare_words
from bridge.report.compare_schema import Comparison, DatasetComparison, Side
from bridge.report.sample_index import STATES, connect
from bridge.view.library import Run
from bridge.view.records import MAX_LINE, Record, beginning, shown
from bridge.view.rendering import Visit, render
from bridge.view.sample_pages import Opened
from bridge.view.work import flips_path

PAGE = 25
MAX_ANSWER = 600
REASONS = ("prompt", "answer", "extraction", "scoring")


class NotComparable(Exception):
    """With a line for each reason."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def read_comparison(path: Path) -> Comparison:
    """Raises NotComparable with the reasons; OSError and ValidationError where the file is gone or broken."""
    import orjson

    data = orjson.loads(path.read_bytes())
    if "problems" in data:
        raise NotComparable(data["problems"])
    return Comparison.model_validate(data)


def comparison_page(comparison: Comparison, sides: Sequence[str], visit: Visit) -> str:
    def flips_of(against: int, dataset: int, kind: str) -> str:
        return visit.links.flips(sides, against, dataset, kind)

    return render(visit, "compare.view.html", **comparison_context(comparison), flips_of=flips_of)


def comparison_context(comparison: Comparison) -> dict[str, Any]:
    """For ``_comparison.html``."""
    return {
        "comparison": comparison,
        "words": compare_words,
        "charts": compare_html.charts,
        "scale": compare_html.scale_of,
    }


@dataclass(frozen=True)
class Wanted:
    """Which flips: of one dataset of one candidate."""

    against: int
    dataset: int
    kind: str
    """lost or won."""
    reason: str = ""
    after: int = 0
    """Id of the flip that the page begins behind."""


@dataclass(frozen=True)
class ShownSide:
    link: str
    extracted: str
    response: str
    score: str


@dataclass(frozen=True)
class ShownFlip:
    subset: str | None
    sample_id: str
    target: str
    reason: str
    sides: tuple[ShownSide | None, ShownSide | None]


def flips_page(
    path: Path, comparison: Comparison, wanted: Wanted, opened: Sequence[Opened], sides: Sequence[str], visit: Visit
) -> str:
    """``opened``: the two columns of samples, the baseline's first. Raises OSError or sqlite3.Error."""
    _ = visit.translate
    against = comparison.against[wanted.against]
    one = against.datasets[wanted.dataset]
    with closing(connect(flips_path(path))) as db:
        rows, counts = _flips(db, wanted), _counts(db, wanted)
    flips = [_flip(row, opened, visit) for row in rows]
    more = None
    if len(rows) == PAGE:
        more = visit.links.flips(sides, wanted.against, wanted.dataset, wanted.kind, wanted.reason, rows[-1][0])
    total = sum(n for reason, n in counts.items() if wanted.reason in ("", reason))
    return render(
        visit,
        "flips.html",
        title=f"{compare_words.name_of(one, against)}: {_(wanted.kind)}",
        up=visit.links.compare(sides),
        choices=list(_choices(one, wanted, counts, sides, visit)),
        told=_("{n:,} samples, the largest differences first").format(n=total),
        labels=(comparison.baseline.label, against.candidate.label),
        flips=[flip for flip in flips if flip is not None],
        more=more,
    )


def _choices(
    one: DatasetComparison, wanted: Wanted, counts: Mapping[str, int], sides: Sequence[str], visit: Visit
) -> Iterator[tuple[str, str, str, bool]]:
    """Class, words, address, whether it is chosen."""
    _ = visit.translate
    for kind, n, colour in (("lost", one.lost, "wrong"), ("won", one.gained, "right")):
        link = visit.links.flips(sides, wanted.against, wanted.dataset, kind)
        yield colour, f"{_(kind)} {n:,}", link, kind == wanted.kind
    if len(counts) > 1:
        for reason, n in counts.items():
            link = visit.links.flips(sides, wanted.against, wanted.dataset, wanted.kind, reason)
            yield "", f"{_(reason)} {n:,}", link, reason == wanted.reason


_OF = "against = ? and dataset = ? and lost = ?"
FlipRow = tuple[int, str, int, int]


def _flips(db: sqlite3.Connection, wanted: Wanted) -> list[FlipRow]:
    values = (wanted.against, wanted.dataset, int(wanted.kind == "lost"), wanted.after, wanted.reason, wanted.reason)
    return list(
        db.execute(
            f"select id, reason, baseline, candidate from flip where {_OF} and id > ? and (? = '' or reason = ?) "
            "order by id limit ?",
            (*values, PAGE),
        )
    )


def _counts(db: sqlite3.Connection, wanted: Wanted) -> dict[str, int]:
    values = (wanted.against, wanted.dataset, int(wanted.kind == "lost"))
    return dict(
        db.execute(f"select reason, count(*) from flip where {_OF} group by 1 order by 2 desc", values).fetchall()
    )


def _flip(row: FlipRow, opened: Sequence[Opened], visit: Visit) -> ShownFlip | None:
    _id, reason, *offsets = row
    entries = [one.index.at_offset(one.file, offset) for one, offset in zip(opened, offsets, strict=True)]
    if entries[0] is None:
        return None
    sides: list[ShownSide | None] = []
    target = ""
    for one, entry in zip(opened, entries, strict=True):
        record = None
        if entry is not None and entry.length <= MAX_LINE:
            try:
                record = one.record(entry)
            except (OSError, ValueError):
                record = None
        if entry is None or record is None:
            sides.append(None)
            continue
        target = target or beginning(record.target)
        link = visit.links.sample(one.run, one.column, one.number(entry))
        sides.append(_side(link, record, STATES[entry.state], visit))
    return ShownFlip(entries[0].subset, entries[0].sample_id, target, reason, (sides[0], sides[1]))


def _side(link: str, record: Record, state: str, visit: Visit) -> ShownSide:
    response = record.response or ""
    end = response if len(response) <= MAX_ANSWER else f"…{response[1 - MAX_ANSWER :]}"
    return ShownSide(link, beginning(record.extracted) or "–", shown(end), visit.translate(state))


def column_of(one: DatasetComparison, side: Side, run: Run, *, candidate: bool) -> str | None:
    """The key of the run's column that was compared."""
    dataset = (one.candidate_dataset or one.dataset) if candidate else one.dataset
    backend = one.candidate_backend if candidate else one.baseline_backend
    same = (column for column in run.columns.values() if column.row.model == side.model)
    return next((c.key for c in same if (c.row.dataset, c.row.backend) == (dataset, backend)), None)


# A training --------------------------------------------------------------------------------------------------------


def curve_page(run: Run, visit: Visit) -> str:
    """Raises OSError where there is no curve, and ValueError where it cannot be read."""
    from bridge.finetuned.page import plot
    from bridge.finetuned.schema import Finetuned

    try:
        result = Finetuned.model_validate_json((run.root / "finetuned.json").read_bytes())
    except ValidationError as error:
        raise ValueError(f"finetuned.json cannot be read: {error.error_count()} problems") from None
    draw: Callable[[Any], Markup] = plot
    context = comparison_context(result.comparison) if result.comparison else {"comparison": None}
    return render(
        visit,
        "curve.html",
        run=run,
        result=result,
        curves=[(curve, draw(curve)) for curve in result.curves],
        notes=(*result.notes, *result.not_compared),
        value_words=compare_words.value_words,
        **context,
    )
