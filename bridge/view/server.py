"""The server: addresses to pages. A name in an address is looked up among what was found, never opened as a path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from bridge.report.language import LANGUAGES
from bridge.report.sample_index import STATES
from bridge.view.guard import Door, guard
from bridge.view.library import Column, Library, Run
from bridge.view.links import Links
from bridge.view.rendering import Visit, render, stylesheet
from bridge.view.samples import FLAGS, Filter
from bridge.view.work import Unreadable, Work

if TYPE_CHECKING:
    from bridge.report.compare_schema import Comparison
    from bridge.report.schema import Report
    from bridge.view.sample_pages import Opened

MOST_SIDES = 12
MAX_QUERY = 400
"""Characters of a text that is searched for."""
HEAVY = (
    "pydantic",
    "bridge.report.schema",
    "bridge.report.html",
    "bridge.view.sample_pages",
    "bridge.view.compare_pages",
)
BREATH_S = 0.02
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M2 24h28M5 24v-6a11 11 0 0 1 22 0v6M11 24v-9'
    'M16 24V9M21 24v-9" fill="none" stroke="#2f5d9e" stroke-width="2.4"/></svg>'
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pending(Exception):
    """The page needs something that is being made."""


class Server:
    """The pages over one library."""

    def __init__(self, library: Library, work: Work) -> None:
        self.library, self.work = library, work
        self._warming: asyncio.Task[None] | None = None
        self._assets: dict[str, tuple[str, str]] = {
            "view.css": (stylesheet(), "text/css"),
            "icon.svg": (ICON, "image/svg+xml"),
        }
        for name in ("view.js", "theme.js", "htmx.min.js"):
            text = files("bridge.view.assets").joinpath(name).read_text(encoding="utf-8")
            self._assets[name] = text, "text/javascript"

    def app(self, door: Door) -> web.Application:
        app = web.Application(middlewares=[guard(door)])
        column = "/runs/{run}/datasets/{column}"
        for path, handler in {
            "/": self.runs,
            "/runs/{run}": self.run,
            "/runs/{run}/curve": self.curve,
            "/runs/{run}/sections/{section}": self.section,
            column: self.dataset,
            f"{column}/samples": self.samples,
            f"{column}/samples/{{number:[0-9]{{1,12}}}}": self.sample,
            "/compare": self.compare,
            "/flips": self.flips,
        }.items():
            app.router.add_get(path, self._page(handler))
        app.router.add_get("/assets/{name}", self.asset)
        app.on_cleanup.append(self._cleanup)
        return app

    def _page(self, handler: Callable[[web.Request, Visit], Awaitable[str]]) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            started = time.perf_counter()
            visit = _visit(request)
            status = 200
            try:
                text = await handler(request, visit)
            except Pending as pending:
                title = visit.translate("One moment")
                text = render(visit, "message.html", title=title, texts=[visit.translate(str(pending))], again=True)
            except Unreadable as error:
                status, title = 500, visit.translate("This cannot be shown")
                text = render(visit, "message.html", title=title, texts=[str(error)], again=False)
            answer = web.Response(text=text, content_type="text/html", status=status)
            answer.headers["Server-Timing"] = f"page;dur={1000 * (time.perf_counter() - started):.1f}"
            if (chosen := request.query.get("lang")) in LANGUAGES:
                answer.set_cookie("lang", str(chosen), samesite="Strict")
            return answer

        return answered

    async def asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._assets and name.endswith(".js"):
            self._assets |= _section_scripts()
        found = self._assets.get(name)
        if found is None:
            raise web.HTTPNotFound(text="there is no such file\n")
        return web.Response(text=found[0], content_type=found[1], charset="utf-8")

    async def runs(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.run_pages import runs_page

        page = runs_page(self.library, visit, _text(request))
        if self._warming is None:
            self._warming = asyncio.create_task(_warm(visit.language))
        return page

    async def run(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.run_pages import run_page

        run = self._run(request)
        if run.report is None:
            title = visit.translate("This run has no report")
            return render(visit, "message.html", title=title, texts=[run.problem], again=False)
        return run_page(run, run.report, self.library, visit)

    async def section(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.run_pages import section_page

        run, report = self._reported(request)
        page = section_page(run, report, request.match_info["section"], visit)
        if page is None:
            raise web.HTTPNotFound(text="this run has no such section\n")
        return page

    async def curve(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.compare_pages import curve_page

        run = self._run(request)
        if not run.has_curve:
            raise web.HTTPNotFound(text="this run has no curve: bridge finetuned and bridge watch make one\n")
        try:
            return curve_page(run, visit)
        except ValueError as error:
            raise OSError(str(error)) from None

    async def dataset(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.sample_pages import dataset_page

        run, report = self._reported(request)
        column = self._column(request, run)
        return dataset_page(run, report, column, await self._opened(run, report, column), visit)

    async def samples(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.sample_pages import samples_page

        opened = await self._samples_of(request)
        return samples_page(opened, _filter(request, opened), _number(request, "after"), visit)

    async def sample(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.sample_pages import sample_page

        opened = await self._samples_of(request)
        others = []
        for column in opened.run.columns.values():
            if column is not opened.column and column.row.dataset == opened.column.row.dataset:
                other = await self._opened(opened.run, opened.report, column)
                others += [other] if other else []
        page = sample_page(opened, int(request.match_info["number"]), _filter(request, opened), others, visit)
        if page is None:
            raise web.HTTPNotFound(text="there is no sample of this number\n")
        return page

    async def compare(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.compare_pages import NotComparable, comparison_page

        sides = self._sides(request)
        try:
            comparison = await self._comparison(sides)
        except NotComparable as error:
            title = visit.translate("These cannot be compared")
            return render(visit, "message.html", title=title, texts=error.reasons, again=False)
        return comparison_page(comparison, [run.key + rest for run, rest in sides], visit)

    async def flips(self, request: web.Request, visit: Visit) -> str:
        from bridge.view.compare_pages import REASONS, NotComparable, Wanted, flips_page

        kind, reason = request.query.get("kind", "lost"), request.query.get("reason", "")
        if kind not in ("lost", "won") or reason not in ("", *REASONS):
            raise web.HTTPBadRequest(text=f"kind is lost or won; reason is one of {', '.join(REASONS)}\n")
        sides = self._sides(request)
        try:
            comparison = await self._comparison(sides)
        except NotComparable:
            raise web.HTTPNotFound(text="these cannot be compared\n") from None
        against, dataset = _number(request, "against"), _number(request, "dataset")
        if against >= len(comparison.against) or dataset >= len(comparison.against[against].datasets):
            raise web.HTTPNotFound(text="the comparison has no such dataset\n")
        wanted = Wanted(against, dataset, kind, reason, _number(request, "after"))
        opened = await self._compared(comparison, wanted.against, wanted.dataset, [run for run, _ in sides])
        path = await self._comparison_file(sides)
        return flips_page(path, comparison, wanted, opened, [run.key + rest for run, rest in sides], visit)

    # What the addresses name

    def _run(self, request: web.Request) -> Run:
        run = self.library.run(request.match_info["run"])
        if run is None:
            raise web.HTTPNotFound(text="there is no run of this name (any more)\n")
        return run

    def _reported(self, request: web.Request) -> tuple[Run, Report]:
        run = self._run(request)
        if run.report is None:
            raise web.HTTPNotFound(text=f"{run.problem}\n")
        return run, run.report

    def _column(self, request: web.Request, run: Run) -> Column:
        column = run.columns.get(request.match_info["column"])
        if column is None:
            raise web.HTTPNotFound(text=f"this run has no such dataset; it has: {', '.join(run.columns)}\n")
        return column

    async def _opened(self, run: Run, report: Report, column: Column) -> Opened | None:
        """None where the column has no samples."""
        from bridge.view.sample_pages import Opened

        if column.number is None:
            return None
        index = await self.work.index(run)
        if index is None:
            raise Pending("the samples are being indexed")
        return Opened(run, report, column, index, index.file(column.number))

    async def _samples_of(self, request: web.Request) -> Opened:
        run, report = self._reported(request)
        opened = await self._opened(run, report, self._column(request, run))
        if opened is None:
            raise web.HTTPNotFound(text="this dataset has no records of samples\n")
        return opened

    def _sides(self, request: web.Request) -> list[tuple[Run, str]]:
        """Each ``KEY``, ``KEY:model`` or ``KEY:model@backend``; runs that were only ticked: the oldest first."""
        given = request.query.getall("side", [])[:MOST_SIDES]
        sides = []
        for side in given:
            key, colon, rest = side.partition(":")
            run = self.library.run(key)
            if run is None or run.report is None:
                raise web.HTTPNotFound(text="one of these runs is not there (any more), or has no report\n")
            if colon + rest not in _sides_in(run.report):
                raise web.HTTPNotFound(text="this run has no such model or backend\n")
            sides.append((run, colon + rest))
        if not sides:
            raise web.HTTPBadRequest(text="choose two runs, or one with several models or backends\n")
        if request.query.get("order") != "given" and not any(rest for _, rest in sides):
            sides.sort(key=lambda side: (side[0].glance.started_at if side[0].glance else "", side[0].key))
        return sides

    async def _comparison_file(self, sides: Sequence[tuple[Run, str]]) -> Path:
        path = await self.work.comparison(sides)
        if path is None:
            raise Pending("the runs are being compared")
        return path

    async def _comparison(self, sides: Sequence[tuple[Run, str]]) -> Comparison:
        from bridge.view.compare_pages import read_comparison

        return read_comparison(await self._comparison_file(sides))

    async def _compared(
        self, comparison: Comparison, against: int, dataset: int, runs: Sequence[Run]
    ) -> tuple[Opened, Opened]:
        from bridge.view.compare_pages import column_of

        one = comparison.against[against].datasets[dataset]
        pairs = ((comparison.baseline, False), (comparison.against[against].candidate, True))
        found = []
        for side, candidate in pairs:
            run = next(run for run in runs if str(run.root) == side.run)
            key = column_of(one, side, run, candidate=candidate)
            opened = await self._opened(run, run.report, run.columns[key]) if key and run.report else None
            if opened is None:
                raise web.HTTPNotFound(text="the samples are not there any more\n")
            found.append(opened)
        return found[0], found[1]

    async def _cleanup(self, _app: web.Application) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])
        await self.work.stop()


async def _warm(language: str) -> None:
    """Loads, while somebody looks at the first page, what the others need: piece by piece, so that none has to wait."""
    from bridge.view.rendering import view_environment

    for module in HEAVY:
        await asyncio.sleep(BREATH_S)
        import_module(module)
    from bridge.report import schema, sections

    schema.Report.model_rebuild()
    for place in sections.PLACES:
        await asyncio.sleep(BREATH_S)
        import_module(place.partition(":")[0])
    environment = view_environment(language)
    for name in environment.list_templates(filter_func=lambda name: name.endswith(".html")):
        await asyncio.sleep(BREATH_S)
        environment.get_template(name)


def _section_scripts() -> dict[str, tuple[str, str]]:
    from bridge.report.sections import all_sections
    from bridge.report.templating import asset

    return {one.script: (asset(one.script), "text/javascript") for one in all_sections() if one.script}


def _sides_in(report: Report) -> set[str]:
    """What can stand behind a run's key."""
    pairs = {(row.model, row.backend) for row in report.results}
    return {"", *(f":{model}" for model, _ in pairs), *(f":{model}@{backend}" for model, backend in pairs)}


def _visit(request: web.Request) -> Visit:
    wanted = request.query.get("lang") or request.cookies.get("lang") or ""
    if wanted not in LANGUAGES:
        wanted = "zh" if request.headers.get("Accept-Language", "").lower().startswith("zh") else "en"
    return Visit(wanted, request.path_qs, Links())


def _text(request: web.Request) -> str:
    return request.query.get("q", "")[:MAX_QUERY]


def _number(request: web.Request, name: str) -> int:
    given = request.query.get(name, "") or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 13):
        raise web.HTTPBadRequest(text=f"{name} is a number\n")
    return int(given)


def _filter(request: web.Request, opened: Opened) -> Filter:
    state, flag = request.query.get("state", ""), request.query.get("flag", "")
    if state not in ("", *STATES) or flag not in ("", *FLAGS):
        raise web.HTTPBadRequest(text=f"state is one of {', '.join(STATES)}; flag is one of {', '.join(FLAGS)}\n")
    subset = request.query.get("subset", "")
    return Filter(state, flag, opened.index.subset(subset) if subset else "", _text(request))
