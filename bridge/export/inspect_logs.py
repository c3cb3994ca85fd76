"""Inspect logs (version 2): one ``.eval`` per model × backend × dataset, which ``inspect view`` shows and
``inspect_ai.log.read_eval_log`` reads.

A log is a zip: ``samples/<id>_epoch_<n>.json``, ``summaries.json``, and ``header.json`` as the last. Beyond 20,000
samples the viewer takes long, so a larger dataset becomes several logs.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from bridge.export.source import Column, Source, text_of
from bridge.report.schema import ResultRow, SampleRecord, Status
from bridge.report.text import one_line, well_formed
from bridge.rundir import slug

META: dict[str, str] = {}
LOG_SIZE = 20_000
_STOP = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter", "tool_calls": "tool_calls"}
_ROLES = ("system", "user", "assistant", "tool")
_SUMMARY_TEXT = 1000
JsonObject = dict[str, Any]


def export(source: Source, folder: Path) -> list[Path]:
    return [path for column in source.columns for path in _logs(source, column, folder)]


def _logs(source: Source, column: Column, folder: Path) -> Iterator[Path]:
    binary = _binary_metrics(source, column)
    records = source.records(column)
    for part in range(1_000_000):
        first = next(records, None)
        if first is None and part:
            return
        log = _Log(source, column, part, binary)
        path = folder / log.file_name
        aside = path.with_name(f".{path.name}.tmp")
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            log.write(archive, _chain(first, islice(records, LOG_SIZE - 1)))
        yield aside.replace(path)


def _chain(first: SampleRecord | None, rest: Iterator[SampleRecord]) -> Iterator[SampleRecord]:
    if first is not None:
        yield first
        yield from rest


def _binary_metrics(source: Source, column: Column) -> frozenset[str]:
    """Metrics that are right or wrong for every sample: the viewer marks those as C and I."""
    found = {row.metric for row in column.overall() if row.unit == "fraction"}
    if column.path is None:
        return frozenset()
    for record in source.records(column):
        found -= {name for name in found if record.scores.get(name, 1) not in (0, 1)}
    return frozenset(found)


@dataclass
class _Log:
    source: Source
    column: Column
    part: int
    binary: frozenset[str]
    names: set[tuple[str, int]] = field(default_factory=set)
    summaries: list[JsonObject] = field(default_factory=list)
    tokens: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def id(self) -> str:
        row, run = self.column.primary, self.source.report.run
        text = f"{run.id}\n{row.model}\n{row.backend}\n{row.dataset}\n{self.part}"
        return hashlib.sha256(text.encode()).hexdigest()[:22]

    @property
    def task(self) -> str:
        part = f"_{self.part + 1}" if self.part else ""
        return f"{self.column.name}{part}"

    @property
    def file_name(self) -> str:
        """The form that inspect lists: moment, task, id."""
        moment = self.source.report.run.started_at[:19].replace(":", "-")
        return f"{slug(moment)}_{self.task.replace('_', '-')}_{self.id}.eval"

    def write(self, archive: zipfile.ZipFile, records: Iterator[SampleRecord]) -> None:
        _put(archive, "_journal/start.json", {"version": 2, "eval": self._spec(0), "plan": self._plan()})
        for record in records:
            sample = self._sample(record)
            _put(archive, f"samples/{sample['id']}_epoch_{sample['epoch']}.json", sample)
            self.summaries.append(_summary(sample))
        _put(archive, "summaries.json", self.summaries)
        _put(archive, "header.json", self._header())

    def _header(self) -> JsonObject:
        row, run = self.column.primary, self.source.report.run
        failed = row.status is Status.FAILED
        model_usage = {row.model: _usage(*self.tokens)} if any(self.tokens) else {}
        header: JsonObject = {
            "version": 2,
            "status": "error" if failed else "success",
            "eval": self._spec(len(self.summaries)),
            "plan": self._plan(),
            "results": self._results(),
            "stats": {"started_at": run.started_at, "completed_at": run.finished_at, "model_usage": model_usage},
        }
        if failed:
            header["error"] = _error(row.reason or "there is no result")
        return header

    def _spec(self, samples: int) -> JsonObject:
        row, run = self.column.primary, self.source.report.run
        info = self.column.model
        return {
            "eval_id": self.id,
            "run_id": hashlib.sha256(run.id.encode()).hexdigest()[:22],
            "created": _moment(run.started_at),
            "task": self.task,
            "task_id": self.id,
            "task_version": 0,
            "dataset": {"name": row.dataset, "samples": samples},
            "model": row.model or "unknown",
            "config": {"epochs": 1},
            "packages": {"evalbridge": run.bridge_version, row.backend: row.backend_version},
            "scorers": [{"name": one.metric} for one in self.column.overall()],
            "metadata": {
                "bridge": {
                    "run": run.id,
                    "backend": row.backend,
                    "status": row.status.value,
                    "n": row.n,
                    "n_errors": row.n_errors,
                    "num_fewshot": row.num_fewshot,
                    "settings": row.settings,
                    "reason": row.reason,
                    "source": info.source,
                    "engine": info.engine,
                    "adapters": list(info.adapters),
                }
            },
        }

    def _plan(self) -> JsonObject:
        told = self.column.generation()
        config: JsonObject = {
            name: told[name] for name in ("temperature", "top_p", "top_k", "max_tokens", "seed") if name in told
        }
        if isinstance(told.get("stop"), list):
            config["stop_seqs"] = told["stop"]
        return {
            "name": "plan",
            "steps": [{"solver": f"bridge/{self.column.primary.backend}", "params": {}}],
            "config": config,
        }

    def _results(self) -> JsonObject:
        scores = [_score_of(row) for row in self.column.overall() if row.value is not None]
        completed = sum("error" not in summary for summary in self.summaries)
        return {"total_samples": len(self.summaries), "completed_samples": completed, "scores": scores}

    def _sample(self, record: SampleRecord) -> JsonObject:
        name, epoch = self._name(record), record.repeat + 1
        messages = [_message(one) for one in _messages(record)]
        output = self._output(record)
        given, made = (record.usage or {}).get("prompt_tokens", 0), (record.usage or {}).get("completion_tokens", 0)
        self.tokens[0] += given
        self.tokens[1] += made
        sample: JsonObject = {
            "id": name,
            "epoch": epoch,
            "input": record.input if isinstance(record.input, str) else messages,
            "target": [text_of(one) for one in record.target]
            if isinstance(record.target, list)
            else text_of(record.target or ""),
            "messages": [*messages, *(choice["message"] for choice in output["choices"])],
            "output": output,
            "metadata": {**record.metadata, "subset": record.subset, "prompt_sha256": record.prompt_sha256},
            "store": {},
            "events": [],
            "attachments": {},
            "model_usage": {record.model: _usage(given, made)} if record.usage else {},
            "uuid": hashlib.sha256(f"{self.id}/{name}/{epoch}".encode()).hexdigest()[:22],
        }
        if record.latency_s is not None:
            sample["total_time"] = sample["working_time"] = record.latency_s
        if record.error is not None:
            sample["error"] = _error(record.error)
        elif record.scores:
            sample["scores"] = {metric: self._score(metric, value, record) for metric, value in record.scores.items()}
        return sample

    def _name(self, record: SampleRecord) -> str:
        """The sample's id is part of a file's name inside the zip; one that is there twice gets a number."""
        name = "/".join(map(slug, filter(None, (record.subset, record.sample_id or "none"))))
        times = 1
        while (name if times == 1 else f"{name}~{times}", record.repeat) in self.names:
            times += 1
        name = name if times == 1 else f"{name}~{times}"
        self.names.add((name, record.repeat))
        return name

    def _output(self, record: SampleRecord) -> JsonObject:
        if record.response is None:
            return {"model": record.model, "choices": []}
        message = {"role": "assistant", "content": record.response, "source": "generate", "model": record.model}
        choice = {"message": message, "stop_reason": _STOP.get(record.finish_reason or "", "unknown")}
        output: JsonObject = {"model": record.model, "choices": [choice], "completion": record.response}
        if record.usage:
            output["usage"] = _usage(record.usage.get("prompt_tokens", 0), record.usage.get("completion_tokens", 0))
        if record.latency_s is not None:
            output["time"] = record.latency_s
        return output

    def _score(self, metric: str, value: float, record: SampleRecord) -> JsonObject:
        shown = ("I", "C")[int(value)] if metric in self.binary and value in (0, 1) else value
        return {"value": shown, "answer": None if record.extracted is None else text_of(record.extracted)}


def _messages(record: SampleRecord) -> list[JsonObject]:
    return [{"role": "user", "content": record.input}] if isinstance(record.input, str) else record.input


def _message(message: JsonObject) -> JsonObject:
    role, content = message.get("role"), message.get("content")
    made: JsonObject = {"role": role if role in _ROLES else "user"}
    made["content"] = [_part(part) for part in content] if isinstance(content, list) else text_of(content or "")
    if made["role"] == "tool":
        made["tool_call_id"] = message.get("tool_call_id")
    return made


def _part(part: Any) -> JsonObject:
    if isinstance(part, dict) and part.get("type") == "text":
        return {"type": "text", "text": text_of(part.get("text", ""))}
    url = part.get("image_url") if isinstance(part, dict) else None
    address = url.get("url") if isinstance(url, dict) else url
    if isinstance(address, str):
        return {"type": "image", "image": address}
    return {"type": "text", "text": text_of(part)}


def _summary(sample: JsonObject) -> JsonObject:
    """What the list of samples shows."""
    taken = {name: sample[name] for name in ("id", "epoch", "target", "model_usage", "uuid")}
    taken |= {name: sample[name] for name in ("scores", "total_time") if name in sample}
    given = sample["input"]
    text = given if isinstance(given, str) else "\n".join(text_of(message["content"]) for message in given)
    taken |= {
        "input": text[:_SUMMARY_TEXT],
        "metadata": {},
        "completed": True,
        "message_count": len(sample["messages"]),
    }
    if "error" in sample:
        taken["error"] = sample["error"]["message"]
    return taken


def _score_of(row: ResultRow) -> JsonObject:
    metrics: JsonObject = {"mean": {"name": "mean", "value": row.value, "params": {}}}
    if row.stderr is not None:
        metrics["stderr"] = {"name": "stderr", "value": row.stderr, "params": {}}
    return {"name": row.metric, "scorer": row.metric, "params": {}, "metrics": metrics, "scored_samples": row.n}


def _usage(given: int, made: int) -> JsonObject:
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


def _error(message: str) -> JsonObject:
    return {"message": one_line(message, 2000), "traceback": "", "traceback_ansi": ""}


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return "1970-01-01T00:00:00+00:00"


def _put(archive: zipfile.ZipFile, name: str, value: object) -> None:
    archive.writestr(name, orjson.dumps(well_formed(value)))
