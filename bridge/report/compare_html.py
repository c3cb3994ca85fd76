"""A comparison as one self-contained file: no script, nothing loaded, all foreign text as text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bridge.report import compare_words
from bridge.report.compare_schema import Against, Comparison, DatasetComparison, PartDifference
from bridge.report.plot import MARGIN, WIDTH
from bridge.report.templating import asset, environment


@dataclass(frozen=True)
class Scale:
    """A symmetric axis of differences, zero in the middle."""

    reach: float
    unit: str

    def x(self, value: float) -> float:
        inside = min(max(value, -self.reach), self.reach)
        return round(WIDTH / 2 + inside / self.reach * (WIDTH / 2 - MARGIN), 2)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        return tuple(
            (self.x(value), compare_words.change_words(value, self.unit)) for value in (-self.reach, self.reach)
        )


@dataclass(frozen=True)
class Chart:
    """Datasets whose differences share a scale."""

    scale: Scale
    datasets: tuple[DatasetComparison, ...]


def comparison_html(comparison: Comparison, language: str = "en") -> str:
    style = asset("style.css") + asset("compare.css")
    return (
        environment(language)
        .get_template("compare.html")
        .render(
            language=language,
            comparison=comparison,
            words=compare_words,
            charts=charts,
            scale=scale_of,
            style=Markup(style),
            csp=_policy(style),
        )
    )


def charts(against: Against) -> list[Chart]:
    grouped: dict[str, list[DatasetComparison]] = {}
    for one in against.datasets:
        grouped.setdefault(one.unit, []).append(one)
    return [Chart(scale_of(group, unit), tuple(group)) for unit, group in grouped.items()]


def scale_of(shown: Sequence[DatasetComparison | PartDifference], unit: str) -> Scale:
    """Wide enough for every interval; of those that say next to nothing, the ends are cut."""
    wide = sorted(max(abs(end) for end in one.ci95 or (one.difference,)) for one in shown)
    usual = wide[len(wide) // 2] if wide else 0.0
    return Scale(min(wide[-1], 4 * usual) if usual else (wide[-1] if wide else 0.0) or 1.0, unit)


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
