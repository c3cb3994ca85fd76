"""What a run's requests came to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from bridge.endpoint.traffic import StoreError
from bridge.report.schema import LatencyQuantiles, Usage

_WANTED = "(?1 IS NULL OR job = ?1) AND (NOT ?2 OR job GLOB '*.judge' OR job GLOB '*.judge-[1-9]*')"
_TOTALS = f"""
SELECT count(*), coalesce(sum(cached), 0), coalesce(sum(max(tries - 1, 0)), 0), count(error),
       coalesce(sum(iif(cached, 0, prompt_tokens)), 0), coalesce(sum(iif(cached, 0, completion_tokens)), 0),
       count(iif(cached OR error IS NOT NULL, NULL, latency_s))
FROM requests WHERE {_WANTED}
"""
_LATENCIES = f"""
SELECT latency_s FROM requests
WHERE NOT cached AND error IS NULL AND latency_s IS NOT NULL AND {_WANTED} ORDER BY latency_s
"""
_FAILURES = """
SELECT error, count(*), message, max(id) FROM (
    SELECT error, message, max(id) AS id FROM requests AS failed
    WHERE job = ? AND error IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM requests AS answer WHERE answer.key = failed.key AND answer.body IS NOT NULL)
    GROUP BY key
) GROUP BY error ORDER BY count(*) DESC, error
"""


class Failures(NamedTuple):
    """One kind of failure of a job."""

    n: int
    """Different requests, not attempts."""
    message: str
    """Of the latest of them."""


def usage(path: Path, job: str | None = None) -> Usage:
    """The traffic of a run (of one of its jobs), all invocations together; nothing where the file is not there.

    Raises ``StoreError`` where it cannot be read.
    """
    return _usage(path, (job, False))


def judge_usage(path: Path) -> Usage | None:
    """The part of a run's traffic that went to judges; None where there was none. Raises ``StoreError``."""
    found = _usage(path, (None, True))
    return found if found.requests else None


def _usage(path: Path, wanted: tuple[str | None, bool]) -> Usage:
    if not path.exists():
        return Usage()
    with _reading(path) as connection:
        requests, cached, retried, failed, prompt, completion, timed = connection.execute(_TOTALS, wanted).fetchone()
        latency = _quantiles(connection.execute(_LATENCIES, wanted), timed) if timed else None
    return Usage(
        requests=requests,
        cached=cached,
        retried=retried,
        failed=failed,
        prompt_tokens=prompt,
        completion_tokens=completion,
        latency_s=latency,
    )


def failures(path: Path, job: str) -> dict[str, Failures]:
    """The job's requests that were never answered, by kind, the most frequent first.

    One that failed in an earlier invocation and was answered since is none. Raises ``StoreError``.
    """
    if not path.exists():
        return {}
    with _reading(path) as connection:
        rows = connection.execute(_FAILURES, (job,)).fetchall()
    return {kind: Failures(count, message or "") for kind, count, message, _ in rows}


class Asked(NamedTuple):
    """One request that went to the server."""

    started_at: float
    """Seconds since the epoch."""
    latency_s: float
    completion_tokens: int | None
    prompt_tokens: int | None
    error: str | None


def asked(path: Path, jobs: Sequence[str]) -> list[Asked]:
    """The requests of these jobs that were not answered from the cache, in the order in which they began.

    Raises ``StoreError`` where the file cannot be read.
    """
    if not path.exists():
        return []
    query = """SELECT started_at, latency_s, completion_tokens, prompt_tokens, error FROM requests
               WHERE NOT cached AND latency_s IS NOT NULL AND job = ? ORDER BY started_at"""
    with _reading(path) as connection:
        return sorted(Asked(*row) for job in jobs for row in connection.execute(query, (job,)))


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error}); what was asked there is not counted") from error


def _quantiles(ascending: sqlite3.Cursor, count: int) -> LatencyQuantiles:
    """Nearest rank, in one pass over the sorted rows."""
    places = {name: max(0, -(-count * percent // 100) - 1) for name, percent in (("p50", 50), ("p95", 95), ("p99", 99))}
    wanted = set(places.values())
    found = {place: row[0] for place, row in enumerate(ascending) if place in wanted}
    return LatencyQuantiles(**{name: found[place] for name, place in places.items()})
