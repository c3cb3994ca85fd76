"""The store of requests: whether it is sound, and says what the report says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zlib import crc32

from bridge.endpoint.totals import usage
from bridge.errors import OutputError
from bridge.report.schema import Usage

_ASKED_TWICE = """
SELECT count(*) FROM (SELECT key FROM requests WHERE body IS NOT NULL GROUP BY key HAVING count(*) > 1)
"""


def damage(path: Path, reported: Usage) -> Iterator[str]:
    """What is wrong with the file; nothing where it is sound, or where no request was ever made."""
    if not path.exists():
        # A performance test asks without a cache: its requests are samples, which the seal guards.
        if reported.requests and not (path.parent / "perf.json").exists():
            yield f"is gone; the report counts {reported.requests} requests"
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            yield from _unsound(connection)
        now = usage(path)
    except (sqlite3.Error, OutputError) as error:
        yield f"cannot be read: {error}"
        return
    if (now.requests, now.failed) != (reported.requests, reported.failed):
        yield (
            f"holds {now.requests} requests, {now.failed} failed; "
            f"the report says {reported.requests}, {reported.failed} failed"
        )


def _unsound(connection: sqlite3.Connection) -> Iterator[str]:
    said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if said != "ok":
        yield f"is damaged: {said}"
        return
    answers = connection.execute("SELECT key, body, crc FROM requests WHERE body IS NOT NULL")
    if spoilt := sum(crc32(body, crc32(key)) != crc for key, body, crc in answers):
        yield f"{spoilt} answers in it are damaged"
    if twice := connection.execute(_ASKED_TWICE).fetchone()[0]:
        yield f"{twice} answered requests were asked again"
