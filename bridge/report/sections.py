"""Sections of a report that only some runs have (an arena, a load test), for ``report.html`` and ``bridge view`` alike.

A section is a line in ``PLACES``, an object of this class there, and a template beside the others. Its template sees
``content``, which is what ``content`` returned, ``part`` after importing ``parts.html``, the filter ``plain`` for all
foreign text, and ``_("…")`` for words of the page. No style attributes and no scripts in it: the
pages' policy forbids both. What moves is in the section's ``script``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from bridge.report.schema import Report

PLACES: tuple[str, ...] = (
    "bridge.report.arena_section:SECTION",
    "bridge.report.perf_section:SECTION",
    "bridge.finetuned.section:SECTION",
)
"""``module:attr`` of every section, in the order of the page; loaded when a page is rendered."""


@dataclass(frozen=True)
class Section:
    name: str
    """The anchor, and the last part of the address in ``bridge view``."""
    title: str
    template: str
    """In ``bridge/report/templates``; its name begins with ``_``."""
    applies: Callable[[Report], bool]
    """Whether this run has anything to show; quick, reads no file."""
    content: Callable[[Report, Path], Any]
    """What the template shows, from the report and the run's folder; a missing file is no error."""
    script: str = ""
    """A file in ``bridge/report/templates`` that runs on the page, too; without it the template is still whole."""


@dataclass(frozen=True)
class Shown:
    """A section of one report, ready for its template."""

    name: str
    title: str
    template: str
    content: Any
    script: str


@cache
def all_sections() -> tuple[Section, ...]:
    found = []
    for place in PLACES:
        module, _, attr = place.partition(":")
        found.append(getattr(import_module(module), attr))
    return tuple(found)


def sections_of(report: Report, root: Path) -> list[Shown]:
    """Those that apply."""
    return [
        Shown(section.name, section.title, section.template, section.content(report, root), section.script)
        for section in all_sections()
        if section.applies(report)
    ]
