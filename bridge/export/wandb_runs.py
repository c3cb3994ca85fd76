"""Weights & Biases: one run per model, with its numbers as the summary and all rows as a table.

Offline, into a folder that ``wandb sync`` sends, unless ``WANDB_MODE`` says ``online``.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from bridge.errors import OutputError
from bridge.export.csv_files import RESULTS
from bridge.export.source import Source, text_of
from bridge.export.tracked import Tracked, tracked
from bridge.report.text import one_line

META = {"project": "default: bridge", "entity": "the team", "group": "default: the run's name"}


def export(source: Source, folder: Path) -> list[Path]:
    wandb: Any = import_module("wandb")
    try:
        return [_run(wandb, source, one, folder) for one in tracked(source)]
    except wandb.Error as error:
        raise OutputError(f"wandb does not take the run: {one_line(str(error), 300)}") from error
    finally:
        wandb.teardown()  # only then is all of an offline run on disk


def _run(wandb: Any, source: Source, one: Tracked, folder: Path) -> Path:
    run = wandb.init(
        project=source.meta.get("project", "bridge"),
        entity=source.meta.get("entity"),
        group=source.meta.get("group", source.report.run.name),
        name=one.info.name,
        config=one.config,
        dir=str(folder),
        mode=os.environ.get("WANDB_MODE", "offline"),
        settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
    )
    for name, value in one.numbers():
        run.summary[name] = value
    run.log({"results": wandb.Table(columns=list(RESULTS), data=[_cells(row.model_dump()) for row in one.rows])})
    place = Path(run.dir).parent
    run.finish()
    return place


def _cells(row: dict[str, Any]) -> list[Any]:
    low, high = row["ci95"] or (None, None)
    fields = {**row, "ci95_low": low, "ci95_high": high}
    return [_cell(fields[name]) for name in RESULTS]


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else text_of(value)
