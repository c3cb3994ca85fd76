"""Sections that only some runs have."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from fakes import make_report, make_row

from bridge.report import html, sections, templating
from bridge.report.html import render_html
from bridge.report.schema import Report
from bridge.report.sections import Section, all_sections, sections_of


def _content(report: Report, root: Path) -> str:
    return f"<b>{report.run.name}</b>"


TOURNAMENT = Section("tournament", "Tournament", "_tournament.html", lambda report: bool(report.results), _content)


@pytest.fixture
def with_tournament(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more section, whose template is given here."""
    monkeypatch.setattr(sections, "all_sections", lambda: (TOURNAMENT,))
    own = templating.environment.__wrapped__()
    own.loader = jinja2.ChoiceLoader(
        [jinja2.DictLoader({"_tournament.html": "<p>won by {{ content }}</p>"}), own.loader]
    )
    monkeypatch.setattr(html, "environment", lambda language: own)


@pytest.mark.usefixtures("with_tournament")
def test_a_section_is_on_the_page_where_it_applies(tmp_path: Path) -> None:
    page = render_html(make_report(results=(make_row(),)), tmp_path)
    assert '<section id="tournament">\n<h2>Tournament</h2>' in page
    assert '<a href="#tournament">Tournament</a>' in page
    assert "won by &lt;b&gt;" in page


@pytest.mark.usefixtures("with_tournament")
def test_and_not_where_it_does_not(tmp_path: Path) -> None:
    assert sections_of(make_report(results=()), tmp_path) == []
    assert "tournament" not in render_html(make_report(results=()), tmp_path)


def test_every_place_has_a_section_with_a_template() -> None:
    names = templating.environment().list_templates()
    assert all(section.template in names and section.template.startswith("_") for section in all_sections())
