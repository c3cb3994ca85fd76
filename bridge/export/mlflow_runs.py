"""MLflow: one run per model, with its settings as parameters, its numbers as metrics and ``report.json`` beside them.

Into a SQLite file, which ``mlflow ui --backend-store-uri sqlite:///…/mlflow.db`` shows, unless
``--meta tracking_uri=…`` or ``MLFLOW_TRACKING_URI`` names a server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from bridge.errors import OutputError
from bridge.export.source import Source, text_of
from bridge.export.tracked import Tracked, tracked
from bridge.report.text import one_line

META = {"tracking_uri": "default: MLFLOW_TRACKING_URI, or a file", "experiment": "default: bridge"}
_MAX_PARAMETER = 6000
_BATCH = 100


def export(source: Source, folder: Path) -> list[Path]:
    mlflow: Any = import_module("mlflow")
    entities: Any = import_module("mlflow.entities")
    given = source.meta.get("tracking_uri") or os.environ.get("MLFLOW_TRACKING_URI")
    place = folder.resolve()
    try:
        client = mlflow.MlflowClient(tracking_uri=given or f"sqlite:///{place}/mlflow.db")
        experiment = _experiment(client, source.meta.get("experiment", "bridge"), None if given else place)
        for one in tracked(source):
            _run(client, entities, experiment, source, one)
    except mlflow.exceptions.MlflowException as error:
        raise OutputError(f"mlflow does not take the run: {one_line(str(error), 300)}") from error
    return [folder] if given else [folder / "mlflow.db"]


def _experiment(client: Any, name: str, folder: Path | None) -> str:
    """By name; a new one keeps its artifacts in the folder where there is no server to keep them."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=f"{folder.as_uri()}/artifacts" if folder else None))


def _run(client: Any, entities: Any, experiment: str, source: Source, one: Tracked) -> None:
    run = client.create_run(experiment, run_name=f"{source.report.run.name} {one.info.name}")
    id, moment = run.info.run_id, run.info.start_time
    params = [entities.Param(name, text_of(value)[:_MAX_PARAMETER]) for name, value in _parameters(one)]
    metrics = [entities.Metric(name, value, moment, 0) for name, value in one.numbers()]
    for at in range(0, max(len(params), len(metrics)), _BATCH):
        client.log_batch(id, metrics=metrics[at : at + _BATCH], params=params[at : at + _BATCH])
    client.log_artifact(id, str(source.root / "report.json"))
    client.set_terminated(id)


def _parameters(one: Tracked) -> Iterator[tuple[str, Any]]:
    for name, value in one.config.items():
        yield "".join(char if char.isalnum() or char in "_-. /" else "_" for char in name), value
