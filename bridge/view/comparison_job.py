"""``python -m bridge.view.comparison_job FILE``: the comparison as JSON, all of its flips in SQLite beside it.

The sides come by stdin, as a JSON list. ``FILE`` appears last. It holds a ``Comparison``, or why there is none:
``{"problems": […]}``.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bridge.errors import BridgeError, SpecError
from bridge.report.compare import Options, compare_selected
from bridge.report.compare_dataset import Column, How
from bridge.report.compare_flips import REASONS, Bytes
from bridge.report.compare_pairs import Pairs
from bridge.report.compare_schema import Comparison
from bridge.report.compare_sides import select
from bridge.report.paired import Floats
from bridge.report.text import one_line
from bridge.rundir import write_atomic
from bridge.view.work import flips_path

_SCHEMA = """
create table flip (id integer primary key, against integer, dataset integer, lost integer, size real, reason text,
  baseline integer, candidate integer);
"""


Row = tuple[int, float, str, int, int]


@dataclass
class _AllFlips:
    """Takes down every pair that differs, dataset by dataset, as the comparison goes over them."""

    compared: list[list[Row]] = field(default_factory=list)

    def take(self, before: Column, after: Column, pairs: Pairs, gain: Floats, reasons: Bytes) -> None:
        self.compared.append(list(self._rows(before, after, pairs, gain, reasons)))

    def _rows(self, before: Column, after: Column, pairs: Pairs, gain: Floats, reasons: Bytes) -> Iterator[Row]:
        differing = sorted(gain.nonzero()[0].tolist(), key=lambda at: -abs(float(gain[at])))
        for at in differing:
            places = int(before.scores.offset[pairs.baseline[at]]), int(after.scores.offset[pairs.candidate[at]])
            size = float(gain[at])
            yield int(size < 0), abs(size), REASONS[int(reasons[at])], *places


def make(path: Path, arguments: Sequence[str]) -> None:
    flips = _AllFlips()
    order: list[tuple[int, int]] = []
    try:
        sides = select(arguments)
        comparison = compare_selected(sides, Options(how=How(flips=20, witness=flips.take)))
        told = comparison.model_dump_json()
        order = _order(comparison, [name for side in sides for name in side.datasets()])
    except BridgeError as error:
        told = problems(error)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_flips(flips_path(path), zip(order, flips.compared, strict=False))
    write_atomic(path, told)


def _order(comparison: Comparison, datasets: Sequence[str]) -> list[tuple[int, int]]:
    """Candidate and dataset, counted in the comparison, in the order in which they were compared."""
    return [
        (against, at)
        for name in dict.fromkeys(datasets)
        for against, candidate in enumerate(comparison.against)
        for at, one in enumerate(candidate.datasets)
        if one.dataset == name
    ]


def problems(error: BridgeError) -> str:
    lines = [str(one) for one in error.problems] if isinstance(error, SpecError) else [str(error)]
    return orjson.dumps({"problems": [one_line(line, 600) for line in lines]}).decode()


def _write_flips(path: Path, compared: Iterable[tuple[tuple[int, int], list[Row]]]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with closing(sqlite3.connect(aside)) as db:
        db.executescript(f"pragma journal_mode=off; pragma synchronous=off; begin; {_SCHEMA}")
        for place, rows in compared:
            db.executemany("insert into flip values (null,?,?,?,?,?,?,?)", ((*place, *row) for row in rows))
        db.commit()
    aside.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]), orjson.loads(sys.stdin.buffer.read()))
