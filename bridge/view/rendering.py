"""Templates to pages: those of `bridge.view` over those of the report, with everything escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import jinja2
from markupsafe import Markup

from bridge.report.language import LANGUAGES, Translate, translator
from bridge.report.templating import asset, content_policy, environment
from bridge.view.links import Links
from bridge.view.records import shown

STYLES = ("style.css", "compare.css")


@dataclass(frozen=True)
class Visit:
    """Who looks: in which language, at which address, at a server or at a file."""

    language: str
    address: str
    links: Links

    @property
    def translate(self) -> Translate:
        return translator(self.language)

    def in_language(self, code: str) -> str:
        parts = urlsplit(self.address)
        query = [(name, value) for name, value in parse_qsl(parts.query) if name != "lang"]
        return urlunsplit(("", "", parts.path, urlencode([*query, ("lang", code)]), ""))


def render(visit: Visit, template: str, **context: Any) -> str:
    return (
        view_environment(visit.language)
        .get_template(template)
        .render(
            language=visit.language,
            languages=LANGUAGES,
            in_language=visit.in_language,
            links=visit.links,
            inline=None if visit.links.live else _inline(),
            **context,
        )
    )


@cache
def view_environment(language: str) -> jinja2.Environment:
    reports = environment(language)
    loader = jinja2.ChoiceLoader([jinja2.PackageLoader("bridge.view", "templates"), reports.loader or _NOTHING])
    view = reports.overlay(loader=loader)
    view.filters = {**reports.filters, "text": shown}
    return view


_NOTHING = jinja2.DictLoader({})


@cache
def stylesheet() -> str:
    from importlib.resources import files

    own = files("bridge.view.assets").joinpath("view.css").read_text(encoding="utf-8")
    return "".join(map(asset, STYLES)) + own


@cache
def _inline() -> dict[str, object]:
    """A file has its style in it, and no script."""
    style = stylesheet()
    return {"style": Markup(style), "csp": content_policy(style, "")}
