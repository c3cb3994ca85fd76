"""``report.html``: one self-contained file that works from disk, offline, and treats all foreign text as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup

from bridge.report.embed import Embedded, embedded
from bridge.report.language import translator
from bridge.report.numbers import duration_text
from bridge.report.overview import duration_s, headline, is_overall, primary_rows
from bridge.report.scatter import Scatter, scatter
from bridge.report.schema import ErrorKind, Report, ResultRow
from bridge.report.sections import Shown, sections_of
from bridge.report.templating import asset, charts, content_policy, environment
from bridge.report.text import visible, well_formed

# What could end the script element, or a line inside it, stands as an escape sequence: the same JSON, harmless in HTML.
HARMFUL = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
PROVENANCE = ("backend version", "environment lock", "source", "samples")


@dataclass(frozen=True)
class DatasetSection:
    """All about one dataset."""

    dataset: str
    columns: tuple[ResultRow, ...]
    """The primary rows, one per model × backend."""
    further: tuple[ResultRow, ...]
    """Overall rows of other metrics."""
    parts: tuple[ResultRow, ...]
    """Categories and subsets."""
    settings: tuple[Setting, ...]
    scatter: Scatter | None


@dataclass(frozen=True)
class Setting:
    name: str
    values: tuple[str, ...]
    """One per column of the section."""

    @property
    def differs(self) -> bool:
        """The columns are not alike in something that can change the score."""
        return self.name not in PROVENANCE and len(set(self.values)) > 1


def render_html(report: Report, root: Path, language: str = "en", home: str = "") -> str:
    """The page; ``root`` is the run's folder, whose samples are put in, ``home`` a file to lead back to."""
    samples = embedded(report, root)
    context = report_context(report, root, language)
    style, script = asset("style.css"), _script(context["sections"])
    return (
        environment(language)
        .get_template("report.html")
        .render(
            **context,
            language=language,
            home=home,
            embedded=samples,
            data=Markup(script_json(_page_data(report, samples))),
            style=Markup(style),
            script=Markup(script),
            csp=content_policy(style, script),
        )
    )


def _script(sections: Sequence[Shown]) -> str:
    """One script for the page: its own, and those of its sections."""
    return "\n".join(asset(name) for name in ("report.js", *(one.script for one in sections if one.script)))


def report_context(report: Report, root: Path, language: str = "en") -> dict[str, Any]:
    """What the templates of a report's parts (``_facts.html``, ``_scores.html``, …) show."""
    return {
        "report": report,
        "headline": headline(report, translator(language)),
        "duration": _duration(report),
        "faults": [error for error in report.errors if error.kind is not ErrorKind.WARNING],
        "warnings": [error for error in report.errors if error.kind is ErrorKind.WARNING],
        "charts": charts(primary_rows(report)),
        "datasets": dataset_sections(report, root),
        "sections": sections_of(report, root),
        "backends": {row.backend: row.backend_version for row in report.results},
        "many_models": len({row.model for row in report.results}) > 1,
        "colours": colours(report),
        "row_link": lambda row: f"#dataset-{visible(row.dataset)}",
    }


def script_json(value: object) -> str:
    """JSON that can stand inside a script element, whatever text is in it."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = orjson.dumps(well_formed(value)).decode()
    for char, code in HARMFUL.items():
        text = text.replace(char, code)
    return text


def dataset_sections(report: Report, root: Path) -> list[DatasetSection]:
    found = []
    for dataset in dict.fromkeys(row.dataset for row in report.results):
        own = [row for row in report.results if row.dataset == dataset]
        columns = tuple(row for row in own if row.primary)
        further = tuple(row for row in own if is_overall(row) and not row.primary)
        parts = _side_by_side([row for row in own if not is_overall(row)])
        settings = tuple(_settings(columns))
        found.append(DatasetSection(dataset, columns, further, parts, settings, scatter(columns, root)))
    return found


def _side_by_side(rows: Sequence[ResultRow]) -> tuple[ResultRow, ...]:
    """Categories, then subsets, as they first appear, each through every backend in a row."""
    places: dict[tuple[bool, str | None, str], int] = {}
    for row in rows:
        places.setdefault(_part(row), len(places))
    return tuple(sorted(rows, key=lambda row: (row.subset is not None, places[_part(row)])))


def _part(row: ResultRow) -> tuple[bool, str | None, str]:
    return row.subset is not None, row.subset or row.category, row.metric


def colours(report: Report) -> dict[str, int]:
    """Each model × backend has one of the style's colours."""
    pairs = dict.fromkeys(f"{row.model}\n{row.backend}" for row in report.results)
    return {pair: at % 6 for at, pair in enumerate(pairs)}


def _settings(columns: Sequence[ResultRow]) -> list[Setting]:
    described = [_described(row) for row in columns]
    names = dict.fromkeys(name for fields in described for name in fields)
    return [Setting(name, tuple(fields.get(name, "–") for fields in described)) for name in names]


def _described(row: ResultRow) -> dict[str, str]:
    fields: dict[str, Any] = {
        "metric": row.metric,
        "split": row.split,
        "num_fewshot": row.num_fewshot,
        **row.settings,
        **dict(
            zip(
                PROVENANCE,
                (row.backend_version, (row.env_lock_sha256 or "")[:12], row.source, row.samples),
                strict=True,
            )
        ),
    }
    return {name: _shown(value) for name, value in fields.items() if value not in (None, {}, [], "")}


def _shown(value: object) -> str:
    return visible(value if isinstance(value, str) else orjson.dumps(well_formed(value), default=str).decode())


def _duration(report: Report) -> str:
    seconds = duration_s(report.run)
    return duration_text(seconds) if seconds is not None else ""


def _page_data(report: Report, samples: Embedded) -> dict[str, Any]:
    return {
        "columns": [
            {
                "model": column.row.model,
                "backend": column.row.backend,
                "dataset": column.row.dataset,
                "metric": column.row.metric,
                "percent": column.row.unit == "fraction",
            }
            for column in samples.columns
        ],
        "manyModels": len({column.row.model for column in samples.columns}) > 1,
        "samples": samples.samples,
    }
