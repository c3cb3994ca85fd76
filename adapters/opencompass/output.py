"""What OpenCompass left of one unit: predictions, result and details in their three shapes, and whether they hold up.

An exit code of 0 proves nothing here, and neither does a result file; what has to agree is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bridge.adapters.opencompass import verdict
from bridge.adapters.opencompass.scales import SCALES, Scale

Json = dict[str, Any]
WORK_DIR = "out"
_NO_METRIC = {"bp", "sys_len", "ref_len", "type", "details", "error"}
_CORRECT = ("correct", "is_correct", "cascade_correct")
_EXTRACTED = ("parsed", "pred", "predictions", "completion", "programs")
_TARGET = ("answer", "refr", "refer", "ref", "references", "task_id")
_GRADED = {"not_attempted_count", "accuracy_given_attempted"}
"""In the results that OpenCompass makes of a judge's verdicts."""
_NOTHING = ("", "NULL", None)
"""What post-processors return where they read no answer."""


@dataclass(frozen=True)
class Detail:
    """What the evaluator made of one prediction."""

    extracted: Any
    target: Any
    correct: float | None
    """1 or 0; where a judge rates it, its rating, on the scale of the quoted metric."""
    judged: str = ""
    """What the judge said, where one was asked and its word decides."""
    unjudged: str = ""
    """Why what it said is no verdict."""


@dataclass(frozen=True)
class Unit:
    """One entry of OpenCompass's datasets, as the ledger has it, with what its files hold."""

    told: Json
    predictions: Mapping[int, Json]
    """Row (behind one another for each repeat) → prompt and prediction."""
    details: Sequence[Detail] = ()
    """As many as predictions, or none."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """OpenCompass's own numbers, by name."""
    failure: str = ""
    """Why there is no score; empty where there is one."""
    kind: Literal["backend", "output", "stopped"] = "backend"
    of_judged: bool = False
    """Its numbers are those of the samples that have been judged, and of no others."""
    unjudged_kinds: Sequence[str] = ()
    """Kinds of questions of which none has been judged, so that a score over all kinds is none."""

    @property
    def subset(self) -> str | None:
        subset: str | None = self.told["subset"]
        return subset

    @property
    def repeats(self) -> int:
        return int(self.told.get("repeats") or 1)

    @property
    def samples(self) -> int:
        """How many samples there should be."""
        rows = self.told.get("rows")
        return int(rows if rows is not None else max(self.predictions, default=-1) + 1) // self.repeats

    @property
    def scale(self) -> Scale | None:
        """Of its numbers, where a judge's ratings are all they come from; else they are percentages, or unknown."""
        return SCALES.get(str(self.told.get("postprocessor")))

    @property
    def full(self) -> float:
        """What OpenCompass calls 1."""
        return self.scale.divisor if self.scale else 100.0

    @property
    def source(self) -> str:
        return f"{WORK_DIR}/results/{_results_of(self.told)}"


def read_unit(folder: Path, told: Json, unfinished: str) -> Unit:
    """``unfinished``: why the job ended before the unit was done, where it was not."""
    work = folder / WORK_DIR
    name = f"{told['model']}/{told['abbr']}.json"
    predictions: dict[int, Json] = {}
    try:
        predictions = _predictions(work / "predictions" / name)
        result = _json(work / "results" / _results_of(told))
        status = (_json(work / "infer_status" / name) or {"status": "done"}).get("status")
    except ValueError as error:
        return Unit(told, predictions, failure=f"its output cannot be read: {error}", kind="output")
    if told["state"] == "failed":
        return Unit(told, predictions, failure=told["error"] or "it failed without a word")
    if told["state"] != "done":
        return Unit(told, predictions, failure=f"not finished: {unfinished}", kind="stopped")
    of_judged = "samples" in (result or {})
    details = (
        _judgements(result or {}, len(predictions), told)
        if of_judged
        else _details(result, len(predictions), int(told.get("repeats") or 1))
    )
    metrics = _metrics(result, told)
    failure = _failure(told, predictions, result, metrics, details, status)
    if failure:
        return Unit(told, predictions, failure=failure, kind="output")
    lacking = (result or {}).get("unjudged_kinds", ())
    return Unit(told, predictions, details or (), metrics, of_judged=of_judged, unjudged_kinds=lacking)


def _results_of(told: Json) -> str:
    return f"{told.get('results', told['model'])}/{told['abbr']}.json"


def _failure(
    told: Json,
    predictions: Mapping[int, Json],
    result: Json | None,
    metrics: Mapping[str, float],
    details: Sequence[Detail] | None,
    status: str | None,
) -> str:
    if status != "done":
        return f"OpenCompass's inference ended as {status!r}"
    if not predictions:
        return "there are no predictions"
    if len(predictions) != told["rows"]:
        return f"there are {len(predictions)} predictions for {told['rows']} rows"
    if result is None:
        return "there is no result"
    if "error" in result:
        return f"OpenCompass's evaluator says: {result['error']}"
    if details is None:
        return f"the result's details are not about {len(predictions)} predictions"
    if not metrics and not (details and all(detail.unjudged for detail in details)):
        return "the result holds no metric that is a number"
    if not any(map(_said, predictions.values())):
        return "every answer is empty"
    if missing := _unfilled(told, predictions):
        return f"the rows have no field {missing!r}: every prompt says {{{missing}}} in its place"
    return ""


def _said(row: Json) -> bool:
    """Something is in the answer, or in one of those of a dialogue."""
    found: Any = row.get("prediction")
    return any(turn.get("assistant") for turn in found) if is_dialogue(found) else bool(found)


def is_dialogue(prediction: Any) -> bool:
    """Turns of a question and an answer each."""
    return isinstance(prediction, list) and all(isinstance(turn, dict) for turn in prediction)


def _unfilled(told: Json, predictions: Mapping[int, Json]) -> str:
    """OpenCompass leaves a place of its template as it is where a row has nothing for it."""
    prompts = [json.dumps(row.get("origin_prompt"), ensure_ascii=False) for row in predictions.values()]
    found = (name for name in told.get("columns") or () if all(f"{{{name}}}" in prompt for prompt in prompts))
    return next(found, "")


def _json(path: Path) -> Json | None:
    """None where there is no such file. Raises ValueError where it is none of OpenCompass's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return content


def _predictions(path: Path) -> dict[int, Json]:
    """The finished file; of an unfinished unit, the rows that were saved on the way."""
    finished = _json(path)
    if finished is not None:
        return {int(row): one for row, one in sorted(finished.items(), key=lambda item: int(item[0]))}
    rows: dict[int, Json] = {}
    partial = path.with_name(f"tmp_{path.stem}.jsonl")
    if partial.exists():
        for line in partial.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # cut off by a kill
            rows[int(row.pop("idx"))] = row
    return rows


def _metrics(result: Json | None, told: Json) -> dict[str, float]:
    found = {
        name.partition(" (")[0] if name.endswith(" runs average)") else name: float(value)
        for name, value in (result or {}).items()
        if name not in _NO_METRIC and isinstance(value, int | float) and not isinstance(value, bool)
        if "/" not in name  # G-Pass@k once more, for the split by its name
    }
    if "f1" in found and found.keys() & _GRADED:  # the one rate that OpenCompass's verdicts give as a fraction
        found["f1"] *= 100
    quoted = SCALES[told["postprocessor"]].quoted if told.get("postprocessor") in SCALES else ""
    return {quoted: found[quoted], **found} if quoted in found else found


def _judgements(result: Json, rows: int, told: Json) -> list[Detail] | None:
    """One for each prediction, of what ``ocbridge.judgements`` read; None where they do not fit."""
    samples, details = result["samples"], result.get("details", {})
    scale = SCALES.get(str(told.get("postprocessor")))
    if len(samples) != rows or scale is None or any(key not in details for one in samples for key in one["judgements"]):
        return None
    found = []
    for sample in samples:
        said = "\n\n".join(str(details[key]["prediction"]) for key in sample["judgements"])
        score = sample["score"] if scale.of_samples else None
        gold = details[sample["judgements"][0]].get("gold")
        found.append(Detail(None, gold, None if score is None else score / scale.divisor, said, sample["error"]))
    return found


def _details(result: Json | None, rows: int, repeats: int) -> list[Detail] | None:
    """One for each prediction, in their order; empty where the evaluator gives none, None where they do not fit."""
    details = (result or {}).get("details")
    if not details:
        return []
    if isinstance(details, dict):
        # By prediction, with or without a flag; written by the evaluation task where the evaluator says nothing.
        found = [_detail(details[str(row)], None) for row in range(rows) if str(row) in details]
        return found if len(found) == rows == len(details) - ("type" in details) else None
    if not all(isinstance(entry, dict) for entry in details) or len(details) * repeats != rows:
        return None
    # By sample, every value a list with one entry for each repeat.
    return [_detail(entry, repeat) for repeat in range(repeats) for entry in details]


def _detail(entry: Json, repeat: int | None) -> Detail:
    def value(names: Sequence[str]) -> Any:
        name = next((name for name in names if name in entry), None)
        found = entry[name] if name else None
        return found[repeat] if repeat is not None and isinstance(found, list) and repeat < len(found) else found

    extracted, target, correct = value(_EXTRACTED), value(_TARGET), value(_CORRECT)
    if "programs" in entry and isinstance(extracted, list):
        # The code, and the tests that were run on it.
        extracted = extracted[0]
    if correct is None and repeat is None and "references" in entry:
        correct = extracted == target
    word = verdict.of(entry, repeat or 0)
    if correct is None and word is not None:
        correct = verdict.is_right(word)
    if target is None and word is not None:
        target = value(("gold",))
    is_nothing = not isinstance(extracted, list | dict) and extracted in _NOTHING
    decides = word is not None and not verdict.was_right_without(entry, repeat or 0)
    return Detail(
        None if is_nothing else extracted,
        target,
        None if correct is None else float(correct),
        str(word) if decides else "",
    )
