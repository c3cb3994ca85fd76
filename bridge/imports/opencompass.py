"""OpenCompass's output folder.

    predictions/<model>/<dataset>.json   {"0": {"origin_prompt", "prediction", "gold"}, …}
    results/<model>/<dataset>.json       {"accuracy": 25.0, "details": …}

Scores are percents. ``details`` comes in three shapes: rows with ``correct`` (a value per repeat), rows with
``is_correct``, and a mapping of predictions and references without a verdict, which is that they are the same.
Datasets of one family (``lukaemon_mmlu_*``, ``ceval-*``, ``bbh-*``) become subsets of one dataset, whose value is the
mean over its subsets, as OpenCompass's own summary has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import fsum
from pathlib import Path
from typing import Any

from bridge.errors import Problem, SpecError
from bridge.imports.found import Found, FoundDataset, JsonObject, Value, json_file, metric_info, number, prompt_hash
from bridge.report.compare_sides import IMPORTED
from bridge.report.schema import ErrorKind, ModelInfo, ReportError, SampleRecord

_FAMILIES = {"mmlu": "lukaemon_mmlu_", "ceval": "ceval-", "cmmlu": "cmmlu-", "bbh": "bbh-", "agieval": "agieval-"}
_ROW = re.compile(r"(\d+)$")
_POINTS = ("perplexity", "ppl", "bpb", "rating", "elo")
_PERCENT = 100.0


def read(path: Path) -> Found:
    root = _root(path)
    notes: list[str] = []
    names = sorted({file.parent.name for kind in ("predictions", "results") for file in (root / kind).glob("*/*.json")})
    datasets = [one for model in names for one in _datasets(root, model, notes)]
    moment = re.fullmatch(r"(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)", root.name)
    started = "{}-{}-{}T{}:{}:{}".format(*moment.groups()) if moment else ""
    return Found(
        version="",
        models=[ModelInfo(name=name, source=str(root), engine=IMPORTED) for name in names],
        datasets=datasets,
        name=root.name,
        started_at=started,
        notes=notes,
    )


def _root(path: Path) -> Path:
    """The folder that was given, or the newest inside it."""
    if any((path / kind).is_dir() for kind in ("predictions", "results")):
        return path
    inside = sorted({child.parent for kind in ("predictions", "results") for child in path.glob(f"*/{kind}")})
    hint = f"give {inside[-1]}" if inside else "give the folder that OpenCompass wrote to (work_dir/<time>)"
    raise SpecError([Problem(str(path), "", "has neither predictions/ nor results/", hint)])


def _datasets(root: Path, model: str, notes: list[str]) -> Iterator[FoundDataset]:
    files: dict[str, None] = {}
    for kind in ("results", "predictions"):
        files.update(dict.fromkeys(sorted(file.stem for file in (root / kind / model).glob("*.json"))))
    families: dict[str, list[_Part]] = {}
    for name in files:
        family, subset = _family(name)
        part = _Part(root, model, name, subset, notes)
        families.setdefault(family, []).append(part)
    for family, parts in families.items():
        yield _found(model, family, parts)


def _family(name: str) -> tuple[str, str | None]:
    for family, prefix in _FAMILIES.items():
        if name.startswith(prefix):
            return family, name.removeprefix(prefix)
    return name, None


def _found(model: str, family: str, parts: list[_Part]) -> FoundDataset:
    metrics = list(dict.fromkeys(name for part in parts for name in part.reported))
    metrics = metrics or ["accuracy"]
    values = [
        Value(name, value, part.n or None, part.subset) for part in parts for name, value in part.reported.items()
    ]
    if parts[0].subset is not None:
        for name in metrics:
            own = [part.reported[name] for part in parts if name in part.reported]
            values += [Value(name, fsum(own) / len(own), sum(part.n for part in parts))] if own else []
    return FoundDataset(
        model=model,
        dataset=family,
        metrics=[metric_info(name, [value.value for value in values if value.metric == name]) for name in metrics],
        values=values,
        samples=(lambda: (record for part in parts for record in part.records(family)))
        if any(p.n for p in parts)
        else None,
        average="macro" if parts[0].subset is not None else "micro",
        source=f"results/{model}",
        errors=[error for part in parts for error in part.errors(family)],
    )


class _Part:
    """One file of predictions and the one of its results."""

    def __init__(self, root: Path, model: str, name: str, subset: str | None, notes: list[str]) -> None:
        self.model, self.name, self.subset = model, name, subset
        results, predictions = (root / kind / model / f"{name}.json" for kind in ("results", "predictions"))
        self.results: JsonObject = _object(results) if results.is_file() else {}
        self.predictions: JsonObject = _object(predictions) if predictions.is_file() else {}
        if not predictions.is_file() and list(predictions.parent.glob(f"{name}_[0-9]*.json")):
            notes.append(f"{name}: its predictions are in several files that were never joined, and are left out")
        self.n = len(self.predictions)
        self.reported = dict(_reported(self.results))

    def errors(self, family: str) -> Iterator[ReportError]:
        """OpenCompass ends well whatever becomes of a dataset."""
        reason = ""
        if not self.results:
            reason = "there are predictions and no result: it was never scored, or scoring failed"
        elif "error" in self.results:
            reason = f"OpenCompass could not score it: {self.results['error']}"
        elif not self.predictions:
            return
        if reason:
            where = {"model": self.model, "backend": "opencompass", "dataset": family}
            yield ReportError(kind=ErrorKind.BACKEND, message=f"{self.name}: {reason}", **where)

    def records(self, family: str) -> Iterator[SampleRecord]:
        main = next(iter(self.reported), "accuracy")
        keys = sorted(self.predictions, key=_number)
        verdicts = dict(_verdicts(self.results.get("details")))
        if set(verdicts) != set(map(_number, keys)) and len(verdicts) == len(keys):
            # Verdicts count the rows of all the data, predictions those of the part that was asked.
            verdicts = {_number(key): verdicts[at] for key, at in zip(keys, sorted(verdicts), strict=True)}
        for at, key in enumerate(keys):
            row = self.predictions[key] if isinstance(self.predictions[key], dict) else {}
            score, extracted = verdicts.get(_number(key), (None, None))
            asked = _asked(row.get("origin_prompt"))
            answer = row.get("prediction")
            yield SampleRecord(
                model=self.model,
                dataset=family,
                subset=self.subset,
                sample_id=str(key),
                input=asked,
                prompt_sha256=prompt_hash(asked) if asked else None,
                target=row.get("gold"),
                response=answer if isinstance(answer, str) else None if answer is None else str(answer),
                extracted=extracted,
                scores={} if score is None else {main: score},
                error="OpenCompass does not say whether this answer is right" if score is None else None,
                metadata={"index": at},
            )


def _object(file: Path) -> JsonObject:
    data = json_file(file)
    return data if isinstance(data, dict) else {}


def _reported(results: JsonObject) -> Iterator[tuple[str, float]]:
    """Percents as fractions; what is no percent stays as it is."""
    for name, raw in results.items():
        value = number(raw)
        if value is None or name in ("details", "type") or isinstance(raw, bool):
            continue
        percent = 0 <= value <= _PERCENT and not any(word in name.lower() for word in _POINTS)
        yield name, value / _PERCENT if percent else value


def _verdicts(details: object) -> Iterator[tuple[int, tuple[float | None, Any]]]:
    """Row → score and what was read out of the answer."""
    if isinstance(details, list):
        for at, row in enumerate(details):
            if isinstance(row, dict):
                yield _row(row, at), (_correct(row), _first(row.get("pred", row.get("prediction"))))
    elif isinstance(details, dict):
        for key, row in details.items():
            if isinstance(row, dict):
                found = _correct(row)
                predicted, reference = row.get("predictions", row.get("pred")), row.get("references", row.get("refr"))
                if found is None and predicted is not None and reference is not None:
                    found = float(str(predicted) == str(reference))
                yield _number(key), (found, _first(predicted))


def _correct(row: JsonObject) -> float | None:
    """The mean over repeats."""
    for name in ("correct", "is_correct", "passed"):
        value = row.get(name)
        each = value if isinstance(value, list) else [value]
        marks = [mark for one in each if (mark := number(one)) is not None]
        if marks and len(marks) == len(each):
            return fsum(marks) / len(marks)
    return None


def _row(row: JsonObject, at: int) -> int:
    """The row's number in the data, which is the last part of its name."""
    found = _ROW.search(str(row.get("example_abbr", "")))
    return int(found[1]) if found else at


def _asked(prompt: object) -> str | list[JsonObject]:
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list):
        return ""
    roles = {"HUMAN": "user", "BOT": "assistant", "SYSTEM": "system"}
    return [
        {
            "role": roles.get(str(one.get("role")), str(one.get("role") or "user")),
            "content": one.get("prompt", one.get("content")),
        }
        for one in prompt
        if isinstance(one, dict)
    ]


def _number(key: object) -> int:
    return int(str(key)) if str(key).isdecimal() else -1


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
