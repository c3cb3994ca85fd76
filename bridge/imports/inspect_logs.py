"""Inspect logs: ``.eval`` (a zip) and ``.json``, one or a folder of them.

Scores C, I, P and N are 1, 0, ½ and 0, as Inspect's own metrics take them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import OutputError, Problem, SpecError
from bridge.imports.found import (
    Found,
    FoundDataset,
    JsonObject,
    Value,
    json_file,
    metric_info,
    number,
    prompt_hash,
    renumbered,
)
from bridge.imports.zip_members import Members
from bridge.report.aggregate import MetricInfo
from bridge.report.compare_sides import IMPORTED
from bridge.report.schema import ErrorKind, ModelInfo, ReportError, SampleRecord
from bridge.rundir import slug

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_MEANS = ("accuracy", "mean")
"""Metrics of Inspect that are the mean over the samples."""
_ROLES = ("system", "user", "assistant", "tool")


def read(path: Path) -> Found:
    files = sorted(file for file in path.rglob("*") if file.suffix in (".eval", ".json")) if path.is_dir() else [path]
    notes: list[str] = []
    logs = [log for file in files if (log := _opened(file, notes, alone=not path.is_dir())) is not None]
    datasets = renumbered([log.found() for log in logs], notes)
    models = {log.model: str(log.spec.get("model_base_url") or "") for log in logs}
    return Found(
        version=next((version for log in logs if (version := log.version)), ""),
        models=[ModelInfo(name=name, source=url, engine=IMPORTED) for name, url in models.items()],
        datasets=datasets,
        name=path.stem if path.is_file() else path.resolve().name,
        started_at=min((str(log.spec.get("created") or "") for log in logs), default=""),
        notes=notes,
    )


def _opened(file: Path, notes: list[str], *, alone: bool) -> _Log | None:
    """None, and a note, for a file in a folder that is no log."""
    header = _zip_header(file) if file.suffix == ".eval" else json_file(file)
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        if alone:
            raise SpecError([Problem(str(file), "", "is no log of Inspect: it has no 'eval'")])
        notes.append(f"{file.name} is no log of Inspect and is left out")
        return None
    return _Log(file, header)


def _zip_header(file: Path) -> Any:
    with Members(file) as archive:
        names = archive.names()
        try:
            if "header.json" in names:
                return orjson.loads(archive.read("header.json"))
            if "_journal/start.json" in names:  # the run was killed: there is no header, but there are samples
                return {"status": "started", **orjson.loads(archive.read("_journal/start.json"))}
        except orjson.JSONDecodeError as error:
            raise OutputError(f"{file}: its header cannot be read: {error}") from None
    return None


class _Log:
    def __init__(self, file: Path, header: JsonObject) -> None:
        self.file, self.header = file, header
        self.spec: JsonObject = header["eval"]
        self.model = str(self.spec.get("model") or "unknown")

    @property
    def version(self) -> str:
        return str((self.spec.get("packages") or {}).get("inspect_ai") or "")

    @property
    def dataset(self) -> str:
        return str(self.spec.get("task") or (self.spec.get("dataset") or {}).get("name") or "task").rpartition("/")[2]

    def found(self) -> FoundDataset:
        names, values = self._metrics()
        config = {k: v for k, v in ((self.header.get("plan") or {}).get("config") or {}).items() if v is not None}
        limits = {
            k: v for k, v in (self.spec.get("config") or {}).items() if k in ("limit", "epochs") and v is not None
        }
        given = {
            **limits,
            "generation": config,
            "task_args": self.spec.get("task_args"),
            "dataset_revision": (self.spec.get("revision") or {}).get("commit"),
        }
        return FoundDataset(
            model=self.model,
            dataset=self.dataset,
            metrics=[metric_info(name, seen) for name, seen in names.items()] or [MetricInfo("score")],
            values=values,
            samples=self._records,
            settings={name: value for name, value in given.items() if value not in (None, {}, "")},
            source=self.file.name,
            errors=list(self._errors()),
        )

    def _metrics(self) -> tuple[dict[str, list[float]], list[Value]]:
        """The samples' metrics with their scores, and what the log reports of them."""
        seen: dict[str, list[float]] = {}
        for sample in self._samples():
            for name, value in _scores(sample).items():
                seen.setdefault(name, []).append(value)
        values = []
        for score in (self.header.get("results") or {}).get("scores") or []:
            metrics = score.get("metrics") or {}
            name = str(score.get("name"))
            mean = next((number(metrics[key].get("value")) for key in _MEANS if key in metrics), None)
            error = number((metrics.get("stderr") or {}).get("value"))
            if mean is not None:
                values.append(Value(name, mean, score.get("scored_samples"), stderr=error))
                seen.setdefault(name, [mean])
        reported = [value.metric for value in values]
        ordered = sorted(seen, key=lambda name: reported.index(name) if name in reported else len(reported))
        return {name: seen[name] for name in ordered}, values

    def _errors(self) -> Iterator[ReportError]:
        status = self.header.get("status")
        if status == "success":
            return
        message = (self.header.get("error") or {}).get("message") or f"the log's status is {status!r}"
        yield ReportError(
            kind=ErrorKind.BACKEND,
            message=str(message)[:500],
            model=self.model,
            backend="inspect",
            dataset=self.dataset,
        )

    def _records(self) -> Iterator[SampleRecord]:
        found = [self._record(sample) for sample in self._samples()]
        yield from sorted(found, key=lambda one: (one.subset or "", _natural(one.sample_id), one.repeat))

    def _samples(self) -> Iterator[JsonObject]:
        if self.file.suffix != ".eval":
            yield from (one for one in self.header.get("samples") or [] if isinstance(one, dict))
            return
        with Members(self.file) as archive:
            for name in archive.names():
                if name.startswith("samples/") and name.endswith(".json"):
                    try:
                        yield orjson.loads(archive.read(name))
                    except orjson.JSONDecodeError as error:
                        raise OutputError(f"{self.file}: {name} cannot be read: {error}") from None

    def _record(self, sample: JsonObject) -> SampleRecord:
        output = sample.get("output") or {}
        choice = _first(output.get("choices"))
        scores, error = _scores(sample), sample.get("error")
        usage = output.get("usage") or {}
        asked = _asked(sample)
        answer = next(
            (one.get("answer") for one in (sample.get("scores") or {}).values() if isinstance(one, dict)), None
        )
        stop = choice.get("stop_reason")
        subset, sample_id = _named(sample)
        return SampleRecord(
            model=self.model,
            dataset=self.dataset,
            subset=subset,
            sample_id=sample_id,
            repeat=max(0, int(sample.get("epoch") or 1) - 1),
            input=asked,
            prompt_sha256=prompt_hash(asked),
            target=sample.get("target"),
            response=_content((choice.get("message") or {}).get("content")) if choice else None,
            extracted=answer,
            scores={} if error else scores,
            error=str(error.get("message")) if isinstance(error, dict) else None if scores else "not scored",
            usage={
                name: value
                for name, key in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
                if isinstance(value := usage.get(key), int)
            }
            or None,
            latency_s=number(output.get("time")) or number(sample.get("total_time")),
            finish_reason="length" if stop in ("max_tokens", "model_length") else stop,
            metadata=_small(sample.get("metadata")),
        )


def _named(sample: JsonObject) -> tuple[str | None, str]:
    """Subset and id; in the logs that bridge exports the id begins with the subset."""
    name, subset = str(sample.get("id")), (sample.get("metadata") or {}).get("subset")
    if isinstance(subset, str) and name.startswith(f"{slug(subset)}/"):
        return subset, name.removeprefix(f"{slug(subset)}/")
    return None, name


def _scores(sample: JsonObject) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, score in (sample.get("scores") or {}).items():
        value = score.get("value") if isinstance(score, dict) else None
        parts = {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
        for part, raw in parts.items():
            read = _LETTERS.get(raw) if isinstance(raw, str) else number(raw)
            if read is not None:
                found[str(part)] = read
    return found


def _asked(sample: JsonObject) -> str | list[JsonObject]:
    """All messages up to the last answer; the sample's own input where none were kept."""
    messages = [one for one in sample.get("messages") or [] if isinstance(one, dict)]
    if messages and messages[-1].get("role") == "assistant":
        messages = messages[:-1]
    if not messages:
        given = sample.get("input")
        if isinstance(given, str):
            return given
        messages = [one for one in given or [] if isinstance(one, dict)]
    return [
        {"role": one.get("role") if one.get("role") in _ROLES else "user", "content": _content(one.get("content"))}
        for one in messages
    ]


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "".join(text for text in texts if text is not None)


def _small(metadata: object) -> JsonObject:
    """What Inspect keeps about a sample can be the sample itself, with pictures: only what is small is taken."""
    if not isinstance(metadata, dict):
        return {}
    return {str(k): v for k, v in metadata.items() if isinstance(v, (str, int, float, bool)) and len(str(v)) <= 200}


def _first(items: object) -> JsonObject:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() and len(name) < 18 else (1 << 62, name)
