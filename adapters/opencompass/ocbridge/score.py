"""A forked process that scores units, one after the other, with OpenCompass's own evaluation tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import ConfigDict
from opencompass.tasks import OpenICLEvalTask

from . import code_evaluation
from .infer import Tell, one_line
from .judging import bases, is_subjective
from .units import Json, Unit


def score(models: Sequence[Json], units: Sequence[Unit], indices: Sequence[int], work_dir: str, tell: Tell) -> None:
    code_evaluation.install()
    for index in indices:
        tell({"unit": index, "began": "score"})
        unit = units[index]
        try:
            for task in _tasks(models[unit.model], unit, work_dir):
                task.run()
            error = ""
        except Exception as raised:  # noqa: BLE001 - whatever an evaluator raises fails that unit alone
            error = one_line(raised)
        tell({"unit": index, "ended": "score", "error": error})


def _tasks(model: Json, unit: Unit, work_dir: str) -> Iterator[Any]:
    if is_subjective(unit.config):
        yield from _subjective(model, unit.config, work_dir)
        return
    details = {"runner": {"task": {"dump_details": True}}}
    yield OpenICLEvalTask(ConfigDict(models=[model], datasets=[[unit.config]], work_dir=work_dir, eval=details))


def _subjective(model: Json, config: Json, work_dir: str) -> Iterator[Any]:
    """As ``SubjectiveNaivePartitioner`` makes them: of the model alone, or of each pair of it and a base model."""
    from opencompass.tasks.subjective_eval import SubjectiveEvalTask

    judge = config["eval_cfg"]["evaluator"]["judge_cfg"]
    every: list[Any] = [(base, model) for base in bases(config)] or [model]
    for models in every:
        task = {"models": [models], "datasets": [[config]], "work_dir": work_dir, "judge_model": judge}
        yield SubjectiveEvalTask(ConfigDict(task, infer_order=config.get("infer_order")))
