"""A forked process that scores units, one after the other, with OpenCompass's own evaluation task."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import ConfigDict
from opencompass.tasks import OpenICLEvalTask

from . import code_evaluation
from .infer import Tell, one_line
from .units import Json, Unit


def score(models: Sequence[Json], units: Sequence[Unit], indices: Sequence[int], work_dir: str, tell: Tell) -> None:
    code_evaluation.install()
    for index in indices:
        tell({"unit": index, "began": "score"})
        unit = units[index]
        try:
            _task(models[unit.model], unit, work_dir).run()
            error = ""
        except Exception as raised:  # noqa: BLE001 - whatever an evaluator raises fails that unit alone
            error = one_line(raised)
        tell({"unit": index, "ended": "score", "error": error})


def _task(model: Json, unit: Unit, work_dir: str) -> OpenICLEvalTask:
    details = {"runner": {"task": {"dump_details": True}}}
    return OpenICLEvalTask(ConfigDict(models=[model], datasets=[[unit.config]], work_dir=work_dir, eval=details))
