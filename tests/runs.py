"""Run folders with a report and samples, as `bridge run` would leave them, made of a few numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes import make_model, make_record, make_report, make_row, make_run

from bridge.report.aggregate import MetricInfo, aggregate
from bridge.report.schema import Report, ResultRow, SampleRecord
from bridge.report.write import report_json, sample_line
from bridge.rundir import slug


def marks(pattern: str, **fields: Any) -> list[SampleRecord]:
    """``"110e-"``: right, right, wrong, error, and one that is not there; ids are the positions."""
    return [record(str(at), mark, **fields) for at, mark in enumerate(pattern) if mark != "-"]


def record(sample_id: str, mark: str, **fields: Any) -> SampleRecord:
    base: dict[str, Any] = {
        "sample_id": sample_id,
        "input": f"question {sample_id}",
        "prompt_sha256": f"{sample_id:0>64}",
    }
    if mark == "e":
        base |= {"response": None, "extracted": None, "scores": {}, "error": "HTTP 500"}
    else:
        right = float(mark)
        base |= {
            "scores": {"accuracy": right},
            "response": f"It is {mark}.",
            "extracted": mark,
            "finish_reason": "stop",
        }
    return make_record(**{**base, **fields})


def write_run(
    root: Path,
    samples: Mapping[str | tuple[str, str], Sequence[SampleRecord]],
    *,
    model: str = "qwen",
    settings: Mapping[str, Any] = {},
    average: Any = "micro",
    row: Mapping[str, Any] = {},
    run: Mapping[str, Any] = {},
    **report: Any,
) -> Path:
    """``samples``: by dataset, or by (backend, dataset)."""
    rows: list[ResultRow] = []
    for name, records in samples.items():
        backend, dataset = ("native", name) if isinstance(name, str) else name
        path = root / "samples" / slug(backend) / f"{slug(dataset)}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        own = [one.model_copy(update={"model": model, "dataset": dataset}) for one in records]
        path.write_bytes(b"".join(map(sample_line, own)))
        rows += _rows(own, path.relative_to(root), backend, dataset, model, {**settings}, average, {**row})
    report.setdefault("models", (make_model(name=model),))
    return write(root, make_report(run=make_run(**run), results=tuple(rows), **report))


def write(root: Path, report: Report) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "report.json").write_bytes(report_json(report))
    return root


def _rows(
    records: Iterable[SampleRecord],
    path: Path,
    backend: str,
    dataset: str,
    model: str,
    settings: dict[str, Any],
    average: Any,
    fields: dict[str, Any],
) -> tuple[ResultRow, ...]:
    template = make_row(model=model, backend=backend, dataset=dataset, settings=settings, samples=str(path))
    info = MetricInfo(
        fields.get("metric", "accuracy"),
        fields.get("unit", "fraction"),
        fields.get("min_value", 0.0),
        fields.get("max_value", 1.0),
        fields.get("higher_is_better", True),
    )
    plain = {name: value for name, value in fields.items() if name not in MetricInfo.__dataclass_fields__}
    rows = aggregate(records, template=template.model_copy(update=plain), metrics=[info], average=average)
    return tuple(rows)
