"""Another tool's battles as the folder of an arena, rated."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from bridge.arena.report import rate_run
from bridge.errors import Problem, SpecError, did_you_mean
from bridge.native.arena.formats import FORMATS
from bridge.native.arena.formats.imported import Imported, unique, write_import
from bridge.report.schema import Report


class Reader(Protocol):
    def __call__(self, path: Path, baseline: str | None = None) -> Imported: ...


def import_arena(form: str, path: Path, output: Path, baseline: str | None = None) -> tuple[Report, Sequence[str]]:
    """The report, which is also in ``output``, and what was not carried over. Raises SpecError for what is not of
    this form, OutputError for a file that cannot be read; then nothing is written.
    """
    if form not in FORMATS:
        hint = did_you_mean(form, FORMATS) or f"one of: {', '.join(FORMATS)}"
        raise SpecError([Problem("FORMAT", "", f"there is no form {form!r}", hint)])
    if output.exists() and (output.is_file() or any(output.iterdir())):
        raise SpecError([Problem("--output", "", f"{output} is there already", "give a new folder")])
    read = cast(Reader, import_module(FORMATS[form].module).read)
    found = read(path, baseline)
    _known(baseline, found)
    name = path.resolve().name.partition(".")[0] or form
    try:
        run = write_import(found, output, name=name, dataset=name, source=form, order="as_given")
        return rate_run(output, run), unique(found.notes)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise


def _known(baseline: str | None, found: Imported) -> None:
    models = {name for battle in found.battles for name in (battle.model_a, battle.model_b) if name}
    if baseline is not None and baseline not in models:
        hint = did_you_mean(baseline, models) or f"there are: {', '.join(sorted(models)[:8])}"
        raise SpecError([Problem("--baseline", "", f"{baseline!r} is in none of the battles", hint)])
