"""Small valid objects for tests: give the fields that matter, the rest is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bridge.report.schema import ModelInfo, Report, ResultRow, RunInfo, SampleRecord, Status, Usage


def make_row(**fields: Any) -> ResultRow:
    """A complete primary accuracy row: 60 of 100 right."""
    base: dict[str, Any] = {
        "model": "qwen",
        "backend": "native",
        "backend_version": "0.1.0",
        "dataset": "gsm8k",
        "metric": "accuracy",
        "value": 0.6,
        "n": 100,
        "stderr": 0.049237,
        "ci95": (0.5020, 0.6906),
        "primary": True,
    }
    return ResultRow(**{**base, **fields})


def make_record(**fields: Any) -> SampleRecord:
    """A sample that was answered right."""
    base: dict[str, Any] = {
        "model": "qwen",
        "dataset": "gsm8k",
        "sample_id": "0",
        "input": "What is 2 + 2?",
        "target": "4",
        "response": "It is 4.",
        "extracted": "4",
        "scores": {"accuracy": 1.0},
    }
    return SampleRecord(**{**base, **fields})


def make_run(**fields: Any) -> RunInfo:
    base: dict[str, Any] = {
        "id": "test-20260101-000000-abcdef",
        "name": "test",
        "status": Status.COMPLETE,
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T00:01:40+00:00",
        "bridge_version": "0.1.0",
        "spec_sha256": "0" * 64,
        "argv": ("bridge", "run", "spec.yaml"),
        "host": {"system": "Linux 6.1", "python": "3.11.9"},
    }
    return RunInfo(**{**base, **fields})


def make_model(**fields: Any) -> ModelInfo:
    base: dict[str, Any] = {"name": "qwen", "source": "http://127.0.0.1:8000/v1", "engine": "external"}
    return ModelInfo(**{**base, **fields})


def make_report(**fields: Any) -> Report:
    """One model, one dataset, complete; ``status`` is set on the run."""
    status = fields.pop("status", Status.COMPLETE)
    base: dict[str, Any] = {
        "run": make_run(status=status),
        "models": (make_model(),),
        "usage": Usage(requests=100, prompt_tokens=12_000, completion_tokens=3_400),
        "results": (make_row(),),
    }
    return Report(**{**base, **fields})


HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    '<img src="x" onerror="window.hacked = 3">',
    "<svg onload=window.hacked=4>",
    "</pre></div></body></html>",
    "{{ 7 * 7 }} {% raw %} ${window.hacked = 5}",
    "<!-- <script> --> ]]>",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J",
    "right to left: \u202egnp.exe\u202c \u2066x\u2069",
    "line\u2028and\u2029paragraph \x00 nul \x7f",
    "javascript:window.hacked=6//' onmouseover='window.hacked=7",
    "[link](javascript:alert(1)) | cell | **bold** `code`",
    "[bold red]rich markup[/bold red] :smile:",
    '&lt;b&gt; & "quotes" \' \\',
)
"""Text of the kinds that models, datasets and servers can answer with, and that no rendering may act on."""


def write_samples(root: Path, records: Mapping[str, Iterable[SampleRecord]]) -> None:
    """Files of samples in a run directory, by the path that rows name."""
    for name, lines in records.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line.model_dump_json() + "\n" for line in lines), encoding="utf-8")
