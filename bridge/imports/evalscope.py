"""EvalScope's output folder, of all its generations.

    configs/task_config*.yaml                     what was asked for
    reports/<model>/<dataset>.json                scores per metric, category and subset
    reviews/<model>/<dataset>_<subset>.jsonl      one line per answer: score, target, extracted answer
    predictions/<model>/<dataset>_<subset>.jsonl  the answers: tokens, time, why they ended

Until 2025-07 a review is the answer's own record with a ``review`` inside; since then it has a ``sample_score``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bridge.errors import OutputError, Problem, SpecError
from bridge.imports.found import (
    Found,
    FoundDataset,
    JsonObject,
    Value,
    json_file,
    json_lines,
    metric_info,
    number,
    prompt_hash,
)
from bridge.report.compare_sides import IMPORTED
from bridge.report.schema import ModelInfo, SampleRecord

_AVERAGED = ("mean_", "Average", "Weighted")


def read(path: Path) -> Found:
    root = path.parent if path.name == "reports" else path
    if not (root / "reports").is_dir():
        inside = (
            sorted(child.name for child in root.glob("*/reports") for child in [child.parent]) if root.is_dir() else []
        )
        hint = f"give {root / inside[-1]}" if inside else "give the folder that holds reports/"
        raise SpecError([Problem(str(path), "", "is no output folder of EvalScope: it has no reports/", hint)])
    config, notes = _config(root), list[str]()
    datasets = [
        _dataset(root, file, config, notes)
        for file in sorted((root / "reports").glob("*/*.json"))
        if _is_report(file, notes)
    ]
    url = str(config.get("api_url") or "")
    models = dict.fromkeys(one.model for one in datasets)
    return Found(
        version=str(config.get("evalscope_version") or ""),
        models=[ModelInfo(name=name, source=url or str(config.get("model") or ""), engine=IMPORTED) for name in models],
        datasets=datasets,
        name=root.resolve().name,
        notes=notes,
    )


def _is_report(file: Path, notes: list[str]) -> bool:
    data = json_file(file)
    if isinstance(data, dict) and isinstance(data.get("metrics"), list) and "dataset_name" in data:
        return True
    notes.append(f"{file.parent.name}/{file.name} is no report of a dataset and is left out")
    return False


def _config(root: Path) -> JsonObject:
    """The newest configuration; empty where there is none that can be read."""
    files = sorted((root / "configs").glob("task_config*.y*ml"), key=lambda file: file.stat().st_mtime)
    if not files:
        return {}
    try:
        loaded = yaml.safe_load(files[-1].read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise OutputError(f"{files[-1]}: cannot be read: {error}") from error
    return loaded if isinstance(loaded, dict) else {}


def _dataset(root: Path, file: Path, config: JsonObject, notes: list[str]) -> FoundDataset:
    report = json_file(file)
    model, dataset = file.parent.name, str(report["dataset_name"])
    records = _Records(root, model, dataset, _subsets(report), notes)
    names = records.metric_names()
    values = list(_values(report, names))
    scored = [name for name in names if any(value.metric == name for value in values)] or names
    main = _main(report, scored) or (scored or [value.metric for value in values] or ["score"])[0]
    ordered = [main, *(name for name in scored if name != main)]
    arguments = (config.get("dataset_args") or {}).get(dataset) or {}
    summary = report.get("execution_summary") or {}
    known = records.count()
    return FoundDataset(
        model=model,
        dataset=dataset,
        metrics=[
            metric_info(name, [*records.seen(name), *(v.value for v in values if v.metric == name)]) for name in ordered
        ],
        values=values,
        samples=records.all if known else None,
        settings=_settings(config, arguments, report),
        num_fewshot=arguments.get("few_shot_num") if isinstance(arguments.get("few_shot_num"), int) else None,
        split=arguments.get("eval_split") if isinstance(arguments.get("eval_split"), str) else None,
        source=f"reports/{model}/{file.name}",
        unscored=max(0, int(summary.get("requested") or 0) - known) if known else 0,
    )


def _subsets(report: JsonObject) -> list[str]:
    found = [
        str(subset.get("name"))
        for metric in report["metrics"]
        for category in metric.get("categories") or []
        for subset in category.get("subsets") or []
        if not subset.get("is_aggregate")
    ]
    return list(dict.fromkeys(found))


def _metric_name(metric: JsonObject) -> str:
    """``mean_acc`` and ``AverageAccuracy``; since 2026 an identity of name, aggregation and dimensions."""
    identity = metric.get("identity")
    if not isinstance(identity, dict):
        return str(metric.get("name") or "score")
    name, aggregation = str(identity.get("name")), str(identity.get("aggregation"))
    rest = "".join(f",{key}={value}" for key, value in (identity.get("dimensions") or {}).items())
    return f"{name}{rest}" if aggregation in ("mean", "identity") else f"{aggregation}_{name}{rest}"


def _sample_metric(reported: str, names: list[str]) -> str:
    """The samples' own name of the metric that is reported: ``acc`` of ``mean_acc``."""
    for name in names:
        if reported in (name, f"mean_{name}"):
            return name
    plain = [name for name in names if reported.startswith(_AVERAGED)]
    return plain[0] if len(names) == 1 and plain else reported


def _values(report: JsonObject, names: list[str]) -> Iterator[Value]:
    for metric in report["metrics"]:
        name = _sample_metric(_metric_name(metric), names)
        score = number(metric.get("score"))
        if score is not None:
            yield Value(name, score, metric.get("num"))
        for category in metric.get("categories") or []:
            for subset in category.get("subsets") or []:
                own = number(subset.get("score"))
                if own is not None and not subset.get("is_aggregate"):
                    yield Value(name, own, subset.get("num"), str(subset.get("name")))


def _main(report: JsonObject, names: list[str]) -> str | None:
    primary = report.get("primary_metric_identity")
    if isinstance(primary, dict):
        return _sample_metric(_metric_name({"identity": primary}), names)
    first = report["metrics"][0] if report["metrics"] else None
    return _sample_metric(_metric_name(first), names) if first else None


def _settings(config: JsonObject, arguments: JsonObject, report: JsonObject) -> JsonObject:
    generation = {k: v for k, v in (config.get("generation_config") or {}).items() if v is not None}
    given = {
        "limit": config.get("limit"),
        "repeats": config.get("repeats"),
        "generation": generation,
        "seed": config.get("seed"),
        "prompt_template": arguments.get("prompt_template"),
        "system_prompt": arguments.get("system_prompt"),
        "reported_metric": _metric_name(report["metrics"][0]) if report["metrics"] else None,
    }
    return {name: value for name, value in given.items() if value not in (None, {}, "")}


class _Records:
    """The reviews of one dataset, joined with the answers."""

    def __init__(self, root: Path, model: str, dataset: str, subsets: list[str], notes: list[str]) -> None:
        self.root, self.model, self.dataset, self.notes = root, model, dataset, notes
        self.files = [(name, file) for name in subsets if (file := self._file("reviews", name)).is_file()]

    def metric_names(self) -> list[str]:
        names: dict[str, None] = {}
        for _, file in self.files:
            for review in json_lines(file, self.notes):
                names.update(dict.fromkeys(_scores(review)))
        return list(names)

    def seen(self, metric: str) -> Iterator[float]:
        for _, file in self.files:
            for review in json_lines(file, self.notes):
                if metric in (scores := _scores(review)):
                    yield scores[metric]

    def count(self) -> int:
        return sum(1 for _ in self.all())

    def all(self) -> Iterator[SampleRecord]:
        for subset, file in self.files:
            answers = {_index(answer): answer for answer in self._answers(subset)}
            found = [
                _record(review, answers.get(_index(review)), self, subset) for review in json_lines(file, self.notes)
            ]
            reviewed = {_index(review) for review in json_lines(file, self.notes)}
            found += [_unreviewed(answer, self, subset) for index, answer in answers.items() if index not in reviewed]
            yield from sorted(found, key=lambda one: (_natural(one.sample_id), one.repeat))

    def _answers(self, subset: str) -> Iterator[JsonObject]:
        file = self._file("predictions", subset)
        return json_lines(file, self.notes) if file.is_file() else iter(())

    def _file(self, folder: str, subset: str) -> Path:
        return self.root / folder / self.model / f"{self.dataset}_{subset}.jsonl"


def _index(line: JsonObject) -> Any:
    return line.get("index")


def _scores(review: JsonObject) -> dict[str, float]:
    """Metric → score; empty where the answer was not scored."""
    score = (review.get("sample_score") or {}).get("score")
    if isinstance(score, dict):
        usable = score.get("status") in (None, "success")
        values = score.get("value") if usable and isinstance(score.get("value"), dict) else {}
        return {str(name): found for name, value in (values or {}).items() if (found := number(value)) is not None}
    result = number(_old_review(review).get("result"))
    if result is None and isinstance(_old_review(review).get("result"), dict):
        return {str(k): v for k, raw in _old_review(review)["result"].items() if (v := number(raw)) is not None}
    return {} if result is None else {"accuracy": result}


def _old_review(review: JsonObject) -> JsonObject:
    choice = _first(review.get("choices"))
    found = choice.get("review")
    return found if isinstance(found, dict) else {}


def _record(review: JsonObject, answer: JsonObject | None, records: _Records, subset: str) -> SampleRecord:
    return _new(review, answer, records, subset) if "sample_score" in review else _old(review, records, subset)


def _new(review: JsonObject, answer: JsonObject | None, records: _Records, subset: str) -> SampleRecord:
    sample = review["sample_score"]
    score = sample.get("score") or {}
    messages = [one for one in review.get("messages") or [] if isinstance(one, dict)]
    asked = [{"role": one.get("role"), "content": one.get("content")} for one in messages]
    while asked and asked[-1]["role"] == "assistant":
        asked.pop()
    scores = _scores(review)
    target = review.get("target")
    repeat = sample.get("generation_index")
    return SampleRecord(
        model=records.model,
        dataset=records.dataset,
        subset=subset,
        sample_id=str(
            sample.get("group_id") if sample.get("group_id") is not None else sample.get("sample_id", _index(review))
        ),
        repeat=repeat if isinstance(repeat, int) else 0,
        input=asked or str(review.get("input") or ""),
        prompt_sha256=prompt_hash(asked) if asked else None,
        target=target[0] if isinstance(target, list) and len(target) == 1 else target,
        response=_text(score.get("prediction")),
        extracted=score.get("extracted_prediction"),
        scores=scores,
        error=None if scores else f"not scored: {score.get('status') or 'no value'}",
        **_measured(answer),
        metadata={"index": _index(review)},
    )


def _measured(answer: JsonObject | None) -> JsonObject:
    output = (answer or {}).get("model_output") or {}
    usage = output.get("usage") or {}
    stop = _first(output.get("choices")).get("stop_reason")
    found: JsonObject = {"latency_s": number(output.get("time"))}
    if isinstance(usage.get("input_tokens"), int) and isinstance(usage.get("output_tokens"), int):
        found["usage"] = {"prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"]}
    found["finish_reason"] = "length" if stop in ("max_tokens", "model_length") else _text(stop)
    return found


def _old(review: JsonObject, records: _Records, subset: str) -> SampleRecord:
    choice, verdict = _first(review.get("choices")), _old_review(review)
    prompt = (review.get("origin_prompt") or {}).get("data")
    text = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
    usage, scores = review.get("usage") or {}, _scores(review)
    return SampleRecord(
        model=records.model,
        dataset=records.dataset,
        subset=subset,
        sample_id=_sample_id(review),
        input=text if isinstance(text, str) else str(text or ""),
        prompt_sha256=prompt_hash(text) if text else None,
        target=verdict.get("gold"),
        response=_text((choice.get("message") or {}).get("content")),
        extracted=verdict.get("pred"),
        scores=scores,
        error=None if scores else "not scored",
        usage={k: v for k in ("prompt_tokens", "completion_tokens") if isinstance(v := usage.get(k), int)} or None,
        finish_reason=_text(choice.get("finish_reason")),
        metadata={"index": _index(review)},
    )


def _unreviewed(answer: JsonObject, records: _Records, subset: str) -> SampleRecord:
    """An answer that was never scored."""
    output = answer.get("model_output") or {}
    message = _first(output.get("choices") or answer.get("choices")).get("message") or {}
    return SampleRecord(
        model=records.model,
        dataset=records.dataset,
        subset=subset,
        sample_id=_sample_id(answer),
        input="",
        response=_text(message.get("content")),
        error=f"not scored: {output.get('error') or 'there is no review of it'}",
        metadata={"index": _index(answer)},
    )


def _sample_id(entry: JsonObject) -> str:
    """The row's own id, or its place."""
    row = entry.get("raw_input")
    own = row.get("id") if isinstance(row, dict) else None
    return str(own if own is not None else _index(entry))


def _first(items: object) -> JsonObject:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None if value is None else str(value)


def _natural(name: str) -> tuple[int, str]:
    """Numbers by size, before names."""
    return (int(name), "") if name.isdecimal() else (1 << 62, name)
