"""The report from disk: ``report.json`` and the samples, or one line on what the file is instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import OutputError
from bridge.report.schema import Report, SampleRecord

SCHEMA_VERSION: str = Report.model_fields["schema_version"].default


def read_report(path: Path) -> Report:
    """The report in this file, or in this run directory. Raises OutputError that says what the file is instead."""
    file = path / "report.json" if path.is_dir() else path
    data = _json_object(file)
    version = data.get("schema_version")
    if version is None:
        raise OutputError(f"{file}: not a report of bridge (it has no schema_version); give a run's folder")
    if version != SCHEMA_VERSION:
        raise OutputError(
            f"{file}: has report schema {version}, this bridge reads {SCHEMA_VERSION}; {_advice(version)}"
        )
    try:
        return Report.model_validate(data)
    except ValidationError as error:
        raise OutputError(f"{file}: not a valid report: {_first(error)}; 'bridge report' makes it again") from None


def samples(path: Path) -> Iterator[SampleRecord]:
    """The records of a ``samples/…jsonl``, one at a time. Raises OutputError with the line that cannot be read."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield SampleRecord.model_validate_json(line)
                except ValidationError as error:
                    raise OutputError(f"{path}:{number}: not a sample record: {_first(error)}") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _json_object(file: Path) -> dict[str, Any]:
    import orjson

    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise OutputError(f"{file}: no report here; 'bridge report {file.parent}' makes it from a run") from None
    except OSError as error:
        raise OutputError(f"{file}: cannot be read: {error.strerror or error}") from error
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise OutputError(f"{file}: not JSON, or only half of it ({error}); 'bridge report' makes it again") from None
    if not isinstance(data, dict):
        raise OutputError(f"{file}: not a report of bridge (a JSON {type(data).__name__}); give a run's folder")
    return data


def _advice(version: object) -> str:
    try:
        newer = tuple(map(int, str(version).split("."))) > tuple(map(int, SCHEMA_VERSION.split(".")))
    except ValueError:
        return "give a report of bridge"
    return "install a newer bridge" if newer else "'bridge report' makes it again"


def _first(error: ValidationError) -> str:
    """The first problem, and how many more there are."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, problem["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {problem['msg']}{more}" if place else f"{problem['msg']}{more}"
