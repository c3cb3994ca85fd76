"""Small valid objects for tests: give the fields that matter, the rest is filled in."""

from __future__ import annotations

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
