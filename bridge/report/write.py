"""The report to disk: ``report.json``, ``report.md`` and ``report.html``, the samples' index, and a line of samples."""

from __future__ import annotations

import contextlib

from pydantic_core import PydanticSerializationError

from bridge.report.schema import Report, SampleRecord
from bridge.report.text import well_formed
from bridge.rundir import RunDir, write_atomic


def write_report(rundir: RunDir, report: Report) -> Report:
    """Writes all three, each whole or not at all, ``report.json`` first; the samples must be there already."""
    from bridge.report.html import render_html
    from bridge.report.markdown import render_markdown

    write_atomic(rundir.report_json, report_json(report))
    write_atomic(rundir.report_md, render_markdown(report))
    write_atomic(rundir.report_html, render_html(report, rundir.root))
    _index_samples(rundir, report)
    return report


def _index_samples(rundir: RunDir, report: Report) -> None:
    """For ``bridge view``, which makes its own where this one could not be written: no reason to end a run."""
    import sqlite3

    from bridge.report.sample_index import index_path, is_fresh, sources, write_index

    files = sources(report, rundir.root)
    with contextlib.suppress(OSError, sqlite3.Error):
        if files and not is_fresh(index_path(rundir.root), files):
            write_index(files, index_path(rundir.root))


def report_json(report: Report) -> bytes:
    import orjson

    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(report.model_dump(mode="json"), option=option)
    except (TypeError, PydanticSerializationError):
        return orjson.dumps(well_formed(report.model_dump()), option=option)


def sample_line(record: SampleRecord) -> bytes:
    """The record as one line of ``samples/…jsonl``, whatever a model or a dataset put into it."""
    import orjson

    try:
        return record.model_dump_json().encode() + b"\n"
    except PydanticSerializationError:
        return orjson.dumps(well_formed(record.model_dump()), option=orjson.OPT_APPEND_NEWLINE, default=str)
