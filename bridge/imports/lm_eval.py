"""lm-evaluation-harness: ``results_<moment>.json`` and beside it ``samples_<task>_<moment>.jsonl``.

A group becomes a dataset and its tasks the subsets. Metrics keep the name of their filter where it is not ``none``:
``exact_match,strict-match``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import Problem, SpecError
from bridge.imports.found import Found, FoundDataset, JsonObject, Value, json_file, json_lines, metric_info, number
from bridge.report.compare_sides import IMPORTED
from bridge.report.schema import ModelInfo, SampleRecord

_RESULTS = re.compile(r"results_(?P<moment>.+)\.json")
_MODEL = re.compile(r"(?:^|,)(?:model|pretrained)=([^,]+)")
_ABOUT = ("alias", "name", "sample_len", "sample_count")


def read(path: Path) -> Found:
    file = _results_file(path)
    results = json_file(file)
    if not isinstance(results, dict) or not isinstance(results.get("results"), dict):
        raise SpecError([Problem(str(file), "", "is no result of lm-evaluation-harness: it has no 'results'")])
    notes: list[str] = []
    model = _model(results)
    config = results.get("config") or {}
    datasets = [_Group(results, file, model, name, tasks, notes).found() for name, tasks in _groups(results).items()]
    return Found(
        version=str(results.get("lm_eval_version") or results.get("git_hash") or ""),
        models=[ModelInfo(name=model, source=str(config.get("model_args") or ""), engine=IMPORTED)],
        datasets=[one for one in datasets if one.values],
        name=file.parent.name,
        notes=notes,
    )


def _results_file(path: Path) -> Path:
    """The newest results in a folder; of several models the user has to say which."""
    if path.is_file():
        return path
    files = sorted(path.rglob("results_*.json"))
    folders = {file.parent for file in files}
    if len(folders) > 1:
        listed = ", ".join(sorted(str(folder) for folder in folders)[:5])
        raise SpecError([Problem(str(path), "", f"holds results in {len(folders)} folders", f"give one: {listed}")])
    if not files:
        raise SpecError([Problem(str(path), "", "holds no results_*.json", "give the folder that lm_eval wrote to")])
    return files[-1]


def _model(results: JsonObject) -> str:
    config = results.get("config") or {}
    told = config.get("model_args")
    inside = told.get("model") or told.get("pretrained") if isinstance(told, dict) else None
    found = _MODEL.search(told) if isinstance(told, str) else None
    return str(results.get("model_name") or inside or (found and found[1]) or config.get("model") or "unknown")


def _groups(results: JsonObject) -> dict[str, dict[str | None, str]]:
    """Dataset → subset → task; the outermost group of a task is its dataset."""
    inner = {str(k): list(v) for k, v in (results.get("group_subtasks") or {}).items() if v}
    parents = {child: group for group, children in inner.items() for child in children}
    found: dict[str, dict[str | None, str]] = {}
    for task in results["results"]:
        if task in inner and any(child in results["results"] for child in inner[task]):
            continue
        top, seen = task, {task}
        while (above := parents.get(top)) is not None and above not in seen:
            top = above
            seen.add(top)
        subset = None if top == task else task.removeprefix(f"{top}_")
        found.setdefault(top, {})[subset] = task
    return found


class _Group:
    """One dataset: a task alone, or a group of tasks."""

    def __init__(
        self, results: JsonObject, file: Path, model: str, name: str, tasks: dict[str | None, str], notes: list[str]
    ) -> None:
        self.results, self.file, self.model, self.name = results, file, model, name
        self.tasks, self.notes = tasks, notes

    def found(self) -> FoundDataset:
        values = list(self._values())
        names = list(dict.fromkeys(value.metric for value in values))
        first = next(iter(self.tasks.values()))
        config = (self.results.get("configs") or {}).get(first) or {}
        has_samples = any(self._samples_file(task) for task in self.tasks.values())
        return FoundDataset(
            model=self.model,
            dataset=self.name,
            metrics=[
                metric_info(
                    name,
                    [value.value for value in values if value.metric == name],
                    higher_is_better=self._higher(first, name),
                )
                for name in names
            ],
            values=values,
            samples=self._records if has_samples and names else None,
            settings=self._settings(config),
            num_fewshot=_integer((self.results.get("n-shot") or {}).get(first)),
            split=config.get("test_split") or config.get("validation_split"),
            source=self.file.name,
        )

    def _values(self) -> Iterator[Value]:
        """Of the tasks, and of the group where lm_eval has aggregated it."""
        for subset, task in self.tasks.items():
            yield from self._values_of(task, subset)
        if None not in self.tasks:
            yield from self._values_of(self.name, None)

    def _values_of(self, task: str, subset: str | None) -> Iterator[Value]:
        told = self.results["results"].get(task) or {}
        count = ((self.results.get("n-samples") or {}).get(task) or {}).get("effective")
        for key, raw in told.items():
            name, _, filter_name = key.partition(",")
            value = number(raw)
            if value is None or name.endswith("_stderr") or name in _ABOUT:
                continue
            stderr = number(told.get(f"{name}_stderr,{filter_name}"))
            yield Value(_metric(name, filter_name), value, _integer(count), subset, stderr)

    def _higher(self, task: str, metric: str) -> bool:
        told = ((self.results.get("higher_is_better") or {}).get(task) or {}).get(metric.partition(",")[0])
        return told if isinstance(told, bool) else "perplexity" not in metric

    def _settings(self, config: JsonObject) -> JsonObject:
        run = self.results.get("config") or {}
        given = {
            "limit": run.get("limit"),
            "generation": config.get("generation_kwargs") or run.get("gen_kwargs"),
            "repeats": config.get("repeats"),
            "system_prompt": self.results.get("system_instruction"),
            "chat_template": self.results.get("chat_template_sha"),
            "output_type": config.get("output_type"),
        }
        return {name: value for name, value in given.items() if value not in (None, {}, "")}

    def _samples_file(self, task: str) -> Path | None:
        moment = _RESULTS.fullmatch(self.file.name)
        own = self.file.parent / f"samples_{task}_{moment['moment']}.jsonl" if moment else None
        return own if own is not None and own.is_file() else None

    def _records(self) -> Iterator[SampleRecord]:
        for subset, task in self.tasks.items():
            file = self._samples_file(task)
            if file is not None:
                yield from self._task_records(file, subset)

    def _task_records(self, file: Path, subset: str | None) -> Iterator[SampleRecord]:
        """A line per document and filter; the lines of one document become one record."""
        merged: dict[Any, SampleRecord] = {}
        for line in json_lines(file, self.notes):
            record = self._record(line, subset)
            before = merged.get(line.get("doc_id"))
            if before is not None:
                record = before.model_copy(update={"scores": {**before.scores, **record.scores}})
            merged[line.get("doc_id")] = record
        yield from merged.values()

    def _record(self, line: JsonObject, subset: str | None) -> SampleRecord:
        filter_name = str(line.get("filter") or "none")
        named = line.get("metrics")
        names = [str(name) for name in named] if isinstance(named, list) else _metrics_in(line)
        scores = {_metric(name, filter_name): v for name in names if (v := number(line.get(name))) is not None}
        filtered = _first(line.get("filtered_resps"))
        prompt = line.get("prompt_hash")
        return SampleRecord(
            model=self.model,
            dataset=self.name,
            subset=subset,
            sample_id=str(line.get("doc_id")),
            input=_asked(line.get("arguments")),
            prompt_sha256=prompt if isinstance(prompt, str) else None,
            target=line.get("target"),
            response=_response(line.get("resps")),
            extracted=filtered if isinstance(filtered, str) else None,
            scores=scores,
            error=None if scores else "not scored",
            metadata={"doc_hash": line.get("doc_hash")},
        )


def _metric(name: str, filter_name: str) -> str:
    return name if filter_name in ("", "none") else f"{name},{filter_name}"


_FIXED = {
    "doc_id",
    "doc",
    "target",
    "arguments",
    "resps",
    "filtered_resps",
    "filter",
    "doc_hash",
    "prompt_hash",
    "target_hash",
}


def _metrics_in(line: JsonObject) -> list[str]:
    """Older files do not list the metrics: whatever else is a number is one."""
    return [name for name, value in line.items() if name not in _FIXED and number(value) is not None]


def _asked(arguments: object) -> str | list[JsonObject]:
    """The prompt; messages where the chat interface was used, which lm_eval keeps as JSON in a text."""
    first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else _first(arguments)
    prompt = first.get("arg_0") if isinstance(first, dict) else _first(first) if isinstance(first, list) else first
    text = _first(prompt) if isinstance(prompt, list) else prompt
    if not isinstance(text, str):
        return str(text or "")
    if text.startswith('[{"role"'):
        try:
            messages = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return [one for one in messages if isinstance(one, dict)]
    return text


def _response(responses: object) -> str | None:
    """The text that was generated; log-likelihoods as JSON."""
    first = _first(_first(responses)) if isinstance(_first(responses), list) else _first(responses)
    if isinstance(first, str):
        return first
    return None if responses is None else orjson.dumps(responses, default=str).decode()


def _first(items: object) -> Any:
    return items[0] if isinstance(items, list) and items else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
