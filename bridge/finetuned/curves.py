"""Values over the steps of a training, from the rows of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.finetuned.schema import Curve, Point
from bridge.report.schema import ResultRow


def curves_of(steps: Mapping[str, int], rows: Sequence[ResultRow]) -> Sequence[Curve]:
    """One for each dataset; ``steps``: the model's name → the training's steps behind it."""
    grouped: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        if row.primary and row.model in steps:
            grouped.setdefault((row.dataset, row.backend), []).append(row)
    return [_curve(found, steps) for found in grouped.values()]


def _curve(rows: Sequence[ResultRow], steps: Mapping[str, int]) -> Curve:
    first = rows[0]
    points = [
        Point(
            model=row.model,
            step=steps[row.model],
            value=row.value,
            ci95=row.ci95,
            n=row.n,
            n_errors=row.n_errors,
            reason=row.reason,
        )
        for row in sorted(rows, key=lambda row: steps[row.model])
    ]
    return Curve(
        dataset=first.dataset,
        backend=first.backend,
        metric=first.metric,
        unit=first.unit,
        higher_is_better=first.higher_is_better,
        points=tuple(points),
    )
