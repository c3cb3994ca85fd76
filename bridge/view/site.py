"""`bridge view --static`: the same pages as files, for a build's artefacts. Each file stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.errors import BridgeError, OutputError
from bridge.report.html import render_html
from bridge.rundir import write_atomic
from bridge.view.library import Library, Run
from bridge.view.links import FileLinks
from bridge.view.rendering import Visit

MOST_COMPARED = 8
LINKS = FileLinks()


def write_site(folders: Sequence[Path], target: Path, language: str = "en") -> list[Path]:
    """``index.html``, a file for each run, its curve, and a comparison of the runs where they can be compared.

    A run's file has at most 20,000 samples in it, and says what it left out. Raises OutputError where there is no run,
    or the folder cannot be written.
    """
    library = Library(folders)
    if not library.runs():
        raise OutputError(f"{', '.join(map(str, folders))}: there is no run to show; give the folder that runs are in")
    try:
        return [_written(target / name, page) for name, page in _pages(library, language)]
    except OSError as error:
        raise OutputError(f"{error.filename or target}: {error.strerror or error}") from None


def _written(path: Path, page: str) -> Path:
    write_atomic(path, page)
    return path


def _pages(library: Library, language: str) -> Iterator[tuple[str, str]]:
    from bridge.view.run_pages import runs_page

    compared = list(_comparison([run for run in library.runs() if run.report is not None], language))
    visit = Visit(language, "index.html", LINKS)
    yield "index.html", runs_page(library, visit, compared=bool(compared))
    for run in library.runs():
        if run.report is not None:
            yield f"{run.key}.html", render_html(run.report, run.root, language, home="index.html")
        if run.has_curve:
            yield from _curve(run, language)
    yield from compared


def _curve(run: Run, language: str) -> Iterator[tuple[str, str]]:
    from bridge.view.compare_pages import curve_page

    name = f"{run.key}.curve.html"
    try:
        yield name, curve_page(run, Visit(language, name, LINKS))
    except ValueError:
        return


def _comparison(runs: Sequence[Run], language: str) -> Iterator[tuple[str, str]]:
    """Of the newest runs against the oldest of them; nothing where they have nothing in common."""
    from bridge.report.compare import Options, compare
    from bridge.report.compare_html import comparison_html

    chosen = list(reversed(runs[:MOST_COMPARED]))
    with_one_model = [run for run in chosen if run.report and len({row.model for row in run.report.results}) == 1]
    if len(with_one_model) < 2:
        return
    try:
        comparison = compare([str(run.root) for run in with_one_model], Options())
    except BridgeError:
        return
    yield "compare.html", comparison_html(comparison, language)
