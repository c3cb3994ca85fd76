"""The spec's judge in the configurations of evaluators that ask one."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]


def judged(config: Json, judge: Json | None) -> Json:
    """The configuration with ``judge`` in place of every ``judge_cfg``, and the judge's rows those of the model."""
    scoring = config.get("eval_cfg")
    if judge is None or not isinstance(scoring, dict):
        return config
    if is_subjective(config):
        return {**config, "eval_cfg": {**scoring, "evaluator": _rated(config, judge)}}
    rows = str(config.get("reader_cfg", {}).get("test_range", "")).partition(" + ")[0]
    return {**config, "eval_cfg": _placed(scoring, judge, rows)}


def is_subjective(config: Json) -> bool:
    """OpenCompass's task for subjective evaluation scores it."""
    kind = config.get("eval_cfg", {}).get("evaluator", {}).get("type")
    return str(kind).rpartition(".")[2] == "LMEvaluator"


def judged_by(config: Json, model: Json) -> dict[str | None, str]:
    """Where that task leaves its results: a folder for each model that it is compared with, or only one."""
    judge = f"judged-by--{config['eval_cfg']['evaluator']['judge_cfg']['abbr']}"
    names = [base["abbr"] for base in bases(config)]
    folders = {name: f"{name}_{model['abbr']}_{judge}" for name in names} or {None: f"{model['abbr']}_{judge}"}
    return folders if len(folders) > 1 else {None: next(iter(folders.values()))}


def bases(config: Json) -> list[Json]:
    """The models that it is compared with; their answers are there already."""
    return list(config.get("base_models") or [])


def _rated(config: Json, judge: Json) -> Json:
    """The evaluator with the judge that its task puts there, and its own score over what was judged."""
    evaluator = config["eval_cfg"]["evaluator"]
    grouped = "criteria" if evaluator.get("multi_eval") else "double" if config.get("infer_order") == "double" else ""
    scored = {"type": "ocbridge.judgements.scored", "own": evaluator["dict_postprocessor"], "grouped": grouped}
    return {**evaluator, "judge_cfg": copy.deepcopy(judge), "dict_postprocessor": scored}


def _placed(value: Any, judge: Json, rows: str) -> Any:
    if isinstance(value, list | tuple):
        return [_placed(part, judge, rows) for part in value]
    if not isinstance(value, dict):
        return value
    found = {key: _placed(part, judge, rows) for key, part in value.items()}
    if "judge_cfg" in found:
        found["judge_cfg"] = {**copy.deepcopy(judge), **_postprocessor(value["judge_cfg"])}
    dataset = found.get("dataset_cfg")
    if rows and isinstance(dataset, dict):
        found["dataset_cfg"] = {**dataset, "reader_cfg": {**dataset.get("reader_cfg", {}), "test_range": rows}}
    return found


def _postprocessor(own: Any) -> Json:
    """How the configuration reads the judge's answers stays."""
    return {key: own[key] for key in ("pred_postprocessor",) if isinstance(own, dict) and key in own}
