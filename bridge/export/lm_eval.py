"""lm-evaluation-harness's own files, per model and backend:

    <model>/results_<moment>.json
    <model>/samples_<task>_<moment>.jsonl

Tasks are datasets; subsets are tasks of a group. Metrics are named ``<metric>,none``, as where no filter is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from bridge.export.source import Column, Source, text_of
from bridge.report.prompt_text import plain_text
from bridge.report.schema import ResultRow, SampleRecord
from bridge.report.text import well_formed
from bridge.rundir import slug, write_atomic

META: dict[str, str] = {}
FILTER = "none"
JsonObject = dict[str, Any]


def export(source: Source, folder: Path) -> list[Path]:
    written: list[Path] = []
    grouped: dict[tuple[str, str], list[Column]] = {}
    for column in source.columns:
        grouped.setdefault((column.primary.model, column.primary.backend), []).append(column)
    several = len({backend for _, backend in grouped}) > 1
    for (model, backend), columns in grouped.items():
        inside = folder / slug(model) / slug(backend) if several else folder / slug(model)
        inside.mkdir(parents=True, exist_ok=True)
        written += _Results(source, columns).write(inside)
    return written


class _Results:
    def __init__(self, source: Source, columns: list[Column]) -> None:
        self.source, self.columns = source, columns
        self.moment = source.report.run.started_at[:19].replace(":", "-")

    def write(self, folder: Path) -> Iterator[Path]:
        path = folder / f"results_{slug(self.moment)}.json"
        write_atomic(path, orjson.dumps(well_formed(self._results()), option=orjson.OPT_INDENT_2))
        yield path
        for column in self.columns:
            if column.primary.value is None:
                self.source.note(column, f"it has no value and is left out: {column.primary.reason or ''}")
            if column.path is not None:
                yield from self._write_samples(folder, column)

    def _results(self) -> JsonObject:
        tasks = [(name, rows, column) for column in self.columns for name, rows in _tasks(column)]
        info, run = self.columns[0].model, self.source.report.run
        return {
            "results": {name: _values(name, rows) for name, rows, _ in tasks},
            "group_subtasks": {_task(column.primary): _subtasks(column) for column in self.columns},
            "configs": {name: self._config(name, rows[0], column) for name, rows, column in tasks},
            "versions": {name: 0 for name, _, _ in tasks},
            "n-shot": {name: rows[0].num_fewshot or 0 for name, rows, _ in tasks},
            "higher_is_better": {name: {row.metric: row.higher_is_better for row in rows} for name, rows, _ in tasks},
            "n-samples": {
                name: {"original": rows[0].n + rows[0].n_errors, "effective": rows[0].n} for name, rows, _ in tasks
            },
            "config": {
                "model": "local-chat-completions",
                "model_args": f"model={info.name},base_url={info.source}",
                "limit": self.columns[0].primary.settings.get("limit"),
                "gen_kwargs": self.columns[0].generation(),
                "bridge": {"run": run.id, "version": run.bridge_version, "backend": self.columns[0].primary.backend},
            },
            "git_hash": None,
            "date": _epoch(run.started_at),
            "model_source": info.engine,
            "model_name": info.name,
            "model_name_sanitized": slug(info.name),
            "start_time": _epoch(run.started_at),
            "end_time": _epoch(run.finished_at),
            "total_evaluation_time_seconds": str(_epoch(run.finished_at) - _epoch(run.started_at)),
        }

    def _config(self, name: str, row: ResultRow, column: Column) -> JsonObject:
        metric = {"metric": row.metric, "aggregation": "mean", "higher_is_better": row.higher_is_better}
        return {
            "task": name,
            "dataset_path": row.dataset,
            "dataset_name": row.subset,
            "test_split": row.split,
            "output_type": "generate_until",
            "metric_list": [metric],
            "num_fewshot": row.num_fewshot or 0,
            "repeats": row.settings.get("repeats") or 1,
            "generation_kwargs": column.generation(),
            "metadata": {"backend": row.backend, "backend_version": row.backend_version, "settings": row.settings},
        }

    def _write_samples(self, folder: Path, column: Column) -> Iterator[Path]:
        """A file per task: of a group each subset has its own."""
        with ExitStack() as opened:
            files: dict[str, BinaryIO] = {}
            for at, record in enumerate(self.source.records(column)):
                if record.error is not None:
                    self.source.note(column, "samples without an answer are left out: the format has no errors")
                    continue
                task = f"{record.dataset}_{record.subset}" if record.subset is not None else record.dataset
                if task not in files:
                    path = folder / f"samples_{slug(task)}_{slug(self.moment)}.jsonl"
                    files[task] = opened.enter_context(path.open("wb"))
                    yield path
                line = orjson.dumps(well_formed(_sample(record, at, column)), option=orjson.OPT_APPEND_NEWLINE)
                files[task].write(line)


def _sample(record: SampleRecord, at: int, column: Column) -> JsonObject:
    prompt, target = plain_text(record.input), text_of("" if record.target is None else record.target)
    extracted = record.response if record.extracted is None else text_of(record.extracted)
    return {
        "doc_id": at,
        "doc": {"id": record.sample_id, "subset": record.subset, "question": prompt, "answer": record.target},
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": column.generation()}},
        "resps": [[record.response or ""]],
        "filtered_resps": [extracted or ""],
        "filter": FILTER,
        "metrics": list(record.scores),
        "doc_hash": _hash(f"{record.subset}/{record.sample_id}"),
        "prompt_hash": record.prompt_sha256 or _hash(prompt),
        "target_hash": _hash(target),
        **record.scores,
    }


def _tasks(column: Column) -> Iterator[tuple[str, list[ResultRow]]]:
    """The dataset, then its subsets, each with its rows; without values there is nothing to say."""
    by_name: dict[str, list[ResultRow]] = {}
    for row in column.rows:
        if row.value is not None and (row.category is None or row.subset is not None):
            by_name.setdefault(_task(row), []).append(row)
    yield from by_name.items()


def _subtasks(column: Column) -> list[str]:
    return list(dict.fromkeys(_task(row) for row in column.rows if row.subset is not None))


def _task(row: ResultRow) -> str:
    return f"{row.dataset}_{row.subset}" if row.subset is not None else row.dataset


def _values(name: str, rows: list[ResultRow]) -> JsonObject:
    values: JsonObject = {"alias": name}
    for row in rows:
        values[f"{row.metric},{FILTER}"] = row.value
        values[f"{row.metric}_stderr,{FILTER}"] = "N/A" if row.stderr is None else row.stderr
    return values


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _epoch(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
