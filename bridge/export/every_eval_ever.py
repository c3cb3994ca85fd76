"""Every Eval Ever, schema 0.3.0: per model × backend × dataset an aggregate and its instances.

    data/<dataset>/<developer>/<model>/<uuid>.json
    data/<dataset>/<developer>/<model>/<uuid>_samples.jsonl

The schema has no state for a sample without a score: such samples are left out of the instances and counted in
``score_details.details``. A metric without a value cannot be said and is left out, too.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bridge.export.source import Column, Source, text_of
from bridge.report.prompt_text import plain_text
from bridge.report.schema import ResultRow, SampleRecord
from bridge.report.text import well_formed
from bridge.rundir import slug, write_atomic

SCHEMA_VERSION = "0.3.0"
META = {
    "developer": "who made the model; default: what stands before the slash of its name",
    "organization": "who evaluated it",
    "relationship": "first_party, third_party, collaborative or other",
    "availability": "open_weights, closed_weights or unknown",
    "deployment": "self_deployed, externally_managed or unknown",
}
_UNITS = {"fraction": "proportion", "seconds": "s"}
JsonObject = dict[str, Any]


def export(source: Source, folder: Path) -> list[Path]:
    now = str(int(datetime.now(UTC).timestamp()))
    return [path for column in source.columns for path in _Pair(source, column, now).write(folder)]


class _Pair:
    """One aggregate and its instances."""

    def __init__(self, source: Source, column: Column, now: str) -> None:
        self.source, self.column, self.now = source, column, now
        name = column.model.name or "unknown"
        self.developer = source.meta.get("developer") or (name.split("/")[0] if "/" in name else "unknown")
        self.model = name.split("/")[-1]
        self.dataset = slug(column.primary.dataset)
        self.evaluation_id = f"{column.primary.dataset}/{self.developer}_{self.model}/{now}"
        own = f"{source.report.run.id}\n{name}\n{column.primary.backend}\n{column.primary.dataset}"
        # The same run exports to the same files.
        self.uuid = str(uuid.UUID(bytes=hashlib.sha256(own.encode()).digest()[:16], version=4))

    def write(self, folder: Path) -> Iterator[Path]:
        rows = [row for row in self.column.rows if row.value is not None]
        for row in self.column.rows:
            if row.value is None:
                part = f" of {row.subset or row.category}" if row.subset or row.category else ""
                self.source.note(self.column, f"{row.metric}{part} has no value and is left out: {row.reason or ''}")
        if not rows:
            return
        inside = f"data/{self.dataset}/{slug(self.developer)}/{slug(self.model)}/{self.uuid}"
        samples = folder / f"{inside}_samples.jsonl"
        count, checksum = self._write_instances(samples)
        aggregate = self._aggregate(rows)
        if count:
            aggregate["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": f"{inside}_samples.jsonl",
                "hash_algorithm": "sha256",
                "checksum": checksum,
                "total_rows": count,
            }
        path = folder / f"{inside}.json"
        write_atomic(path, orjson.dumps(well_formed(aggregate), option=orjson.OPT_INDENT_2))
        yield path
        if count:
            yield samples

    def _write_instances(self, path: Path) -> tuple[int, str]:
        """How many lines there are, and their hash; no file where there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.tmp")
        digest, count, unscored = hashlib.sha256(), 0, 0
        with aside.open("wb") as file:
            for record in self.source.records(self.column):
                lines = [self._instance(record, row) for row in self.column.overall() if row.metric in record.scores]
                unscored += not lines or record.error is not None
                for line in lines if record.error is None else ():
                    data = _line(line)
                    digest.update(data)
                    count += 1
                    file.write(data)
        if unscored:
            self.source.note(self.column, f"{unscored:,} samples without a score are not among the instances")
        if count:
            aside.replace(path)
        else:
            aside.unlink()
        return count, digest.hexdigest()

    def _aggregate(self, rows: list[ResultRow]) -> JsonObject:
        run, row = self.source.report.run, self.column.primary
        library = {"bridge_version": run.bridge_version, "env_lock_sha256": row.env_lock_sha256, "run_id": run.id}
        return {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": self.evaluation_id,
            "evaluation_timestamp": _epoch(run.finished_at) or self.now,
            "retrieved_timestamp": self.now,
            "source_metadata": {
                "source_name": "bridge",
                "source_type": "evaluation_run",
                "source_organization_name": self.source.meta.get("organization", "unknown"),
                "evaluator_relationship": self.source.meta.get("relationship", "other"),
            },
            "eval_library": {
                "name": row.backend,
                "version": row.backend_version or "unknown",
                "additional_details": _texts(library),
            },
            "model_info": self._model(),
            "evaluation_results": [self._result(one) for one in rows],
        }

    def _model(self) -> JsonObject:
        info, meta = self.column.model, self.source.meta
        deployed = "unknown" if info.engine in ("external", "imported", "unknown") else "self_deployed"
        details = {
            "deployment_type": meta.get("deployment", deployed),
            "model_availability": meta.get("availability", "unknown"),
            **_texts({"source": info.source, "adapters": list(info.adapters), "revision": info.revision}),
        }
        engine = {} if deployed == "unknown" else {"inference_engine": {"name": info.engine, "version": "unknown"}}
        return {
            "name": info.name,
            "id": f"{self.developer}/{self.model}",
            "developer": self.developer,
            **engine,
            "additional_details": details,
        }

    def _result(self, row: ResultRow) -> JsonObject:
        uncertainty: JsonObject = {"num_samples": row.n}
        if row.stderr is not None:
            uncertainty["standard_error"] = {"value": row.stderr, "method": "analytic"}
        if row.ci95 is not None:
            interval = {"lower": row.ci95[0], "upper": row.ci95[1], "confidence_level": 0.95}
            uncertainty["confidence_interval"] = interval
        return {
            "evaluation_result_id": _result_id(row),
            "evaluation_name": _evaluation_name(row),
            "source_data": {
                "dataset_name": row.dataset,
                "source_type": "other",
                "additional_details": _texts({"split": row.split, "subset": row.subset, "category": row.category}),
            },
            "metric_config": _metric_config(row),
            "score_details": {
                "score": row.value,
                "details": _texts(
                    {"n": row.n, "n_errors": row.n_errors, "status": row.status.value, "primary": row.primary}
                ),
                "uncertainty": uncertainty,
            },
            "generation_config": self._generation(row),
        }

    def _generation(self, row: ResultRow) -> JsonObject:
        told = self.column.generation()
        known = {name: value for name, value in told.items() if name in ("temperature", "top_p", "top_k", "max_tokens")}
        rest = {name: value for name, value in row.settings.items() if name not in known}
        return {"generation_args": known, "additional_details": _texts({**rest, "num_fewshot": row.num_fewshot})}

    def _instance(self, record: SampleRecord, row: ResultRow) -> JsonObject:
        score, prompt = record.scores[row.metric], plain_text(record.input)
        reference = [text_of(one) for one in _listed(record.target)]
        return {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": self.evaluation_id,
            "model_id": f"{self.developer}/{self.model}",
            "evaluation_name": _evaluation_name(row),
            "evaluation_result_id": _result_id(row),
            "sample_id": "/".join(filter(None, (record.subset, record.sample_id)))
            + (f"#{record.repeat}" if record.repeat else ""),
            "sample_hash": hashlib.sha256((prompt + "".join(reference)).encode("utf-8", "replace")).hexdigest(),
            "interaction_type": "single_turn",
            "input": {"raw": prompt, "reference": reference},
            "output": {"raw": [record.response or ""]},
            "messages": None,
            "answer_attribution": _attribution(record, row),
            "evaluation": {"score": score, "is_correct": _is_correct(score, row)},
            **_measured(record),
            "error": None,
            "metadata": _texts(
                {"prompt_sha256": record.prompt_sha256, "subset": record.subset, "finish_reason": record.finish_reason}
            ),
        }


def _line(instance: JsonObject) -> bytes:
    """One line for every reader: some take these three characters for ends of lines."""
    data = orjson.dumps(well_formed(instance), option=orjson.OPT_APPEND_NEWLINE)
    for char in ("\u0085", "\u2028", "\u2029"):
        data = data.replace(char.encode(), f"\\u{ord(char):04x}".encode())
    return data


def _metric_config(row: ResultRow) -> JsonObject:
    return {
        "metric_id": row.metric,
        "metric_name": row.metric,
        "metric_kind": row.metric,
        "metric_unit": _UNITS.get(row.unit, row.unit),
        "lower_is_better": not row.higher_is_better,
        "score_type": "continuous",
        "min_score": "-Infinity" if row.min_value is None else row.min_value,
        "max_score": "Infinity" if row.max_value is None else row.max_value,
    }


def _attribution(record: SampleRecord, row: ResultRow) -> list[JsonObject]:
    if record.extracted is None:
        return []
    method = str(row.settings.get("scorer") or row.settings.get("extraction") or "custom")
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": text_of(record.extracted),
            "extraction_method": method,
            "is_terminal": True,
        }
    ]


def _measured(record: SampleRecord) -> JsonObject:
    usage = record.usage or {}
    given, made = usage.get("prompt_tokens"), usage.get("completion_tokens")
    found: JsonObject = {}
    if given is not None and made is not None:
        found["token_usage"] = {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
    if record.latency_s is not None:
        found["performance"] = {"latency_ms": 1000 * record.latency_s}
    return found


def _is_correct(score: float, row: ResultRow) -> bool:
    """Full marks; of metrics without bounds nothing is said to be correct."""
    best = row.max_value if row.higher_is_better else row.min_value
    return best is not None and score == best


def _evaluation_name(row: ResultRow) -> str:
    return "/".join(filter(None, (row.dataset, row.category, row.subset)))


def _result_id(row: ResultRow) -> str:
    return f"{_evaluation_name(row)}.{row.metric}"


def _listed(target: Any) -> list[Any]:
    return [] if target is None else target if isinstance(target, list) else [target]


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """The schema allows texts alone, and neither null nor numbers."""
    return {name: text_of(value) for name, value in values.items() if value not in (None, [], {}, "")}


def _epoch(moment: str) -> str:
    try:
        return str(int(datetime.fromisoformat(moment).timestamp()))
    except ValueError:
        return ""
