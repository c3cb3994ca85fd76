"""The section of a report whose models are checkpoints of one training: the values over its steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from bridge.report.schema import Report
from bridge.report.sections import Section

if TYPE_CHECKING:
    from bridge.finetuned.schema import Curve

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_BASE = "base"


def steps_of(report: Report) -> Mapping[str, int]:
    """The models that are checkpoints, or their base, and the steps behind each."""
    names = [model.name for model in report.models]
    steps = {name: int(found[1]) for name in names if (found := _CHECKPOINT.fullmatch(name))}
    return {_BASE: 0, **steps} if steps and _BASE in names else steps


def applies(report: Report) -> bool:
    return len(steps_of(report)) > 1


def content(report: Report, root: Path) -> Sequence[tuple[Curve, Markup]]:
    from bridge.finetuned.curves import curves_of
    from bridge.finetuned.page import plot

    return [(curve, plot(curve)) for curve in curves_of(steps_of(report), report.results)]


SECTION = Section(
    name="steps",
    title="Over the steps of the training",
    template="_finetuned.html",
    applies=applies,
    content=content,
)
