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
    rows = str(config.get("reader_cfg", {}).get("test_range", "")).partition(" + ")[0]
    return {**config, "eval_cfg": _placed(scoring, judge, rows)}


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
