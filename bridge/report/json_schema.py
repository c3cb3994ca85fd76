"""JSON schemas of what bridge writes, for ``bridge schema report`` and for whoever reads the files."""

from __future__ import annotations

from typing import Any

from bridge.described import json_schema
from bridge.report.schema import Report, SampleRecord

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_schema() -> dict[str, Any]:
    """Of ``report.json``; ``$defs`` also has ``SampleRecord``, one line of ``samples/…jsonl``."""
    schema = json_schema(Report, "serialization")
    schema["$defs"]["SampleRecord"] = json_schema(SampleRecord, "serialization")
    return {"$schema": DIALECT, **schema}


def sample_schema() -> dict[str, Any]:
    """Of one line of ``samples/…jsonl``."""
    return {"$schema": DIALECT, **json_schema(SampleRecord, "serialization")}
