"""What is recorded of every request."""

from __future__ import annotations

from typing import NamedTuple

from bridge.errors import OutputError

SCHEMA_VERSION = 1
SCHEMA = f"""
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    key BLOB NOT NULL,
    status INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    latency_s REAL,
    finish_reason TEXT,
    error TEXT,
    message TEXT,
    started_at REAL NOT NULL,
    crc INTEGER,
    body BLOB
) STRICT;
CREATE INDEX answers ON requests (key) WHERE body IS NOT NULL;
PRAGMA user_version = {SCHEMA_VERSION};
"""
"""One table is cache and traffic: a row per request, with the answer where it came from the server.

So an answer and its record are written together or not at all. ``crc`` is of key and body: SQLite would not notice
a damaged byte inside an answer.
"""


class StoreError(OutputError):
    """The file of requests could not be written or read: disk full, no permission, damaged. One line."""


class Record(NamedTuple):
    """One request, as the framework or native made it; all columns of a row but ``crc`` and ``body``."""

    job: str
    key: bytes
    """Hash of the request, and its key in the cache."""
    status: int
    """HTTP status of the last try; 0 where there was no response."""
    tries: int
    cached: bool
    """Answered without a request of its own: from the cache, or by one that was already under way."""
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float | None
    finish_reason: str | None
    error: str | None
    """Kind of failure; None where it was answered."""
    message: str | None
    started_at: float
    """Seconds since the epoch."""


def judge_traffic(job: str, at: int = 0) -> str:
    """The name under which a job's requests to judge number ``at`` are recorded."""
    return f"{job}.judge" if at == 0 else f"{job}.judge-{at + 1}"
