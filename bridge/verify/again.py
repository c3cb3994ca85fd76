"""The report made a second time from the jobs' folders, and compared with the one that is there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bridge.collect import Collection
from bridge.errors import OutputError
from bridge.manifest import read_manifest
from bridge.plan import recorded_plan
from bridge.report.read import read_report
from bridge.report.schema import Report, ResultRow
from bridge.rundir import RunDir
from bridge.seal import sealed
from bridge.spec_file import recorded_spec
from bridge.verify.schema import Finding


def differences(root: Path) -> Iterator[Finding]:
    """Where a second reading of the same jobs says something else. Writes beside, never into, the run."""
    rundir = RunDir(root.absolute())
    manifest = read_manifest(rundir)
    if manifest is None:
        raise OutputError(f"{root}: no run in this folder (there is no manifest.json)")
    first = read_report(rundir.report_json)
    with tempfile.TemporaryDirectory(prefix="bridge-verify-") as folder:
        aside = RunDir(Path(folder))
        collection = Collection(recorded_plan(recorded_spec(rundir.spec)), rundir, manifest, samples_into=aside)
        collection.take_recorded()
        second = collection.report(first.models)
        yield from _rows(first, second)
        yield from _samples(rundir, aside, second)


def _rows(first: Report, second: Report) -> Iterator[Finding]:
    was, now = _by_place(first), _by_place(second)
    for place in sorted(was.keys() | now.keys()):
        name = " · ".join(filter(None, place))
        if place not in was or place not in now:
            where = "the report" if place in was else "the jobs"
            yield Finding(state="wrong", file="report.json", message=f"{name}: only in {where}")
        elif was[place] != now[place]:
            one, other = was[place], now[place]
            fields = [field for field in ResultRow.model_fields if getattr(one, field) != getattr(other, field)]
            told = ", ".join(f"{field} is {getattr(one, field)!r}, not {getattr(other, field)!r}" for field in fields)
            yield Finding(state="wrong", file="report.json", message=f"{name}: {told[:300]}")


def _by_place(report: Report) -> dict[tuple[str, ...], ResultRow]:
    return {
        (row.model, row.backend, row.dataset, row.category or "", row.subset or "", row.metric): row
        for row in report.results
    }


def _samples(rundir: RunDir, aside: RunDir, second: Report) -> Iterator[Finding]:
    for name in sorted({row.samples for row in second.results if row.samples}):
        there = rundir.root / name
        if there.is_file() and sealed(there) != sealed(aside.root / name):
            yield Finding(state="wrong", file=name, message="the jobs' folders give other records")
