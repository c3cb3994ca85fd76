from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.totals import Failures, failures, usage
from bridge.endpoint.traffic import Record, StoreError
from bridge.report.schema import Usage


def answered(key: str, *, job: str = "a", tries: int = 1, latency_s: float = 1.0) -> Record:
    return Record(job, key.encode(), 200, tries, False, 10, 5, latency_s, "stop", None, None, 1.0)


def cached(key: str, *, job: str = "a") -> Record:
    return Record(job, key.encode(), 200, 0, True, None, None, 1.0, None, None, None, 2.0)


def failed(key: str, kind: str = "timeout", message: str = "no answer", *, job: str = "a", tries: int = 4) -> Record:
    return Record(job, key.encode(), 0, tries, False, None, None, None, None, kind, message, 1.0)


async def write(path: Path, records: Iterable[Record]) -> None:
    with RequestStore(path) as store:
        for record in records:
            if record.error or record.cached:
                store.note(record)
            else:
                await store.add(record, b"body")


def test_no_file_is_no_traffic(requests: Path) -> None:
    assert usage(requests) == Usage()
    assert failures(requests, "a") == {}
    assert not requests.exists()


async def test_totals(requests: Path) -> None:
    await write(requests, [answered("1", tries=3), answered("2"), cached("1"), failed("3"), answered("4", job="b")])
    whole = usage(requests)
    assert (whole.requests, whole.cached, whole.retried, whole.failed) == (5, 1, 5, 1)
    assert (whole.prompt_tokens, whole.completion_tokens) == (30, 15)
    assert usage(requests, "b").requests == 1
    assert usage(requests, "nobody") == Usage()


async def test_quantiles_are_of_answers_from_the_server(requests: Path) -> None:
    rows = [answered(str(n), latency_s=n / 100) for n in range(100, 0, -1)]
    await write(requests, [*rows, cached("1"), failed("x")])
    latency = usage(requests).latency_s
    assert latency is not None and (latency.p50, latency.p95, latency.p99) == (0.5, 0.95, 0.99)


async def test_quantiles_of_one(requests: Path) -> None:
    await write(requests, [answered("1", latency_s=0.3)])
    latency = usage(requests).latency_s
    assert latency is not None and (latency.p50, latency.p95, latency.p99) == (0.3, 0.3, 0.3)


async def test_failures_by_kind_the_most_frequent_first(requests: Path) -> None:
    rows = [failed("1", "auth", "401"), failed("2", message="old"), failed("3", message="new"), failed("4", job="b")]
    await write(requests, rows)
    assert list(failures(requests, "a").items()) == [("timeout", Failures(2, "new")), ("auth", Failures(1, "401"))]


async def test_a_request_that_failed_twice_is_one(requests: Path) -> None:
    await write(requests, [failed("1"), failed("1"), failed("1", "server-error", "500")])
    assert failures(requests, "a") == {"server-error": Failures(1, "500")}


async def test_a_request_that_was_answered_since_is_no_failure(requests: Path) -> None:
    await write(requests, [failed("1"), failed("2")])
    await write(requests, [answered("1", job="b")])
    assert failures(requests, "a") == {"timeout": Failures(1, "no answer")}


def test_a_damaged_file_is_said_to_be_one(requests: Path) -> None:
    requests.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="cannot be read"):
        usage(requests)
