"""JSON schemas of what bridge writes, for ``bridge schema report`` and for whoever reads the files."""

from __future__ import annotations

from typing import Any

from bridge.report.schema import Report, SampleRecord

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_schema() -> dict[str, Any]:
    """Of ``report.json``; ``$defs`` also has ``SampleRecord``, one line of ``samples/…jsonl``."""
    schema = Report.model_json_schema(mode="serialization")
    schema["$defs"]["SampleRecord"] = SampleRecord.model_json_schema(mode="serialization")
    return {"$schema": DIALECT, **schema}


def sample_schema() -> dict[str, Any]:
    """Of one line of ``samples/…jsonl``."""
    return {"$schema": DIALECT, **SampleRecord.model_json_schema(mode="serialization")}
