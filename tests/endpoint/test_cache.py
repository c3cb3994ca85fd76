from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.totals import usage
from bridge.endpoint.traffic import Record, StoreError
from bridge.errors import OutputError


def record(name: str, job: str = "job") -> Record:
    return Record(job, key(name), 200, 1, False, 3, 4, 0.25, "stop", None, None, time.time())


def key(name: str) -> bytes:
    return name.encode().ljust(32, b"-")


async def fill(path: Path, names: list[str], body: str = "answer to {}") -> None:
    with RequestStore(path) as store:
        await asyncio.gather(*(store.add(record(name), body.format(name).encode()) for name in names))


def answers(path: Path, names: list[str]) -> list[str | None]:
    with RequestStore(path) as store:
        found = [store.get(key(name)) for name in names]
    return [one.body.decode() if one else None for one in found]


async def test_an_answer_is_found_again_by_this_process_and_the_next(requests: Path) -> None:
    with RequestStore(requests) as store:
        assert store.get(key("a")) is None
        await store.add(record("a"), b"one")
        found = store.get(key("a"))
        assert found is not None and (found.body, found.latency_s) == (b"one", 0.25)
    assert answers(requests, ["a", "b"]) == ["one", None]


async def test_an_answer_is_on_disk_when_it_is_seen(requests: Path) -> None:
    with RequestStore(requests) as store, closing(sqlite3.connect(requests)) as other:
        await store.add(record("a"), b"one")
        assert other.execute("SELECT body FROM requests").fetchall() == [(b"one",)]


async def test_many_at_once_are_all_kept(requests: Path) -> None:
    names = [str(n) for n in range(1000)]
    await fill(requests, names)
    assert answers(requests, names) == [f"answer to {name}" for name in names]


async def test_records_without_an_answer_are_written_by_the_end(requests: Path) -> None:
    with RequestStore(requests) as store:
        for n in range(200):
            store.note(record(str(n)))
        assert store.get(key("5")) is None
    assert usage(requests).requests == 200


async def test_one_who_stopped_waiting_disturbs_nobody(requests: Path) -> None:
    with RequestStore(requests) as store:
        impatient = asyncio.ensure_future(store.add(record("a"), b"one"))
        patient = asyncio.ensure_future(store.add(record("b"), b"two"))
        await asyncio.sleep(0)
        impatient.cancel()
        await patient
    assert answers(requests, ["a", "b"]) == ["one", "two"]


async def test_the_latest_answer_counts(requests: Path) -> None:
    await fill(requests, ["a"], "old")
    await fill(requests, ["a"], "new")
    assert answers(requests, ["a"]) == ["new"]


async def test_lookups_use_the_index(requests: Path) -> None:
    from bridge.endpoint import cache

    await fill(requests, ["a"])
    with closing(sqlite3.connect(requests)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {cache._FIND}", (b"",)).fetchall()
    assert "USING INDEX answers (key=?)" in str(plan)


# Damaged files


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def overwrite(path: Path) -> None:
    path.write_bytes(b"this was never a database\n" * 500)


def spoil_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 3] = os.urandom(4096 * 2)
    path.write_bytes(data)


def of_the_future(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("damage", [cut_short, overwrite, spoil_the_middle, of_the_future])
async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(requests: Path, damage: object) -> None:
    names = [str(n) for n in range(500)]
    await fill(requests, names)
    assert callable(damage)
    damage(requests)
    before = requests.read_bytes()
    with RequestStore(requests) as store:
        assert "\n" not in store.warning
        assert str(requests) in store.warning and "set aside" in store.warning
        assert store.get(key("1")) is None
        await store.add(record("1"), b"asked again")
    [aside] = [path for path in requests.parent.iterdir() if ".damaged-" in path.name]
    assert aside.read_bytes() == before
    assert aside.name in store.warning
    with RequestStore(requests) as store:
        assert store.warning == ""
    assert answers(requests, ["1"]) == ["asked again"]


async def test_an_empty_file_is_a_new_one(requests: Path) -> None:
    requests.touch()
    await fill(requests, ["a"])
    assert answers(requests, ["a"]) == ["answer to a"]
    assert len(list(requests.parent.iterdir())) == 1


async def test_a_torn_write_ahead_log_costs_only_what_it_held(requests: Path) -> None:
    await fill(requests, ["a"])
    requests.with_name("requests.sqlite-wal").write_bytes(os.urandom(5000))
    with RequestStore(requests) as store:
        assert store.warning == ""
    assert answers(requests, ["a"]) == ["answer to a"]


async def test_a_damaged_byte_inside_an_answer_is_noticed(requests: Path) -> None:
    await fill(requests, ["a", "b"])
    data = requests.read_bytes()
    assert data.count(b"answer to a") == 1
    requests.write_bytes(data.replace(b"answer to a", b"answer to z"))
    with RequestStore(requests) as store:
        assert store.get(key("a")) is None
        assert "damaged" in store.warning
        assert store.get(key("b")) is not None


# Disks that do not take it


async def test_a_full_disk_is_an_error_in_one_line_and_keeps_what_is_there(requests: Path) -> None:
    with RequestStore(requests) as store:
        await store.add(record("a"), b"one")
        store._writer._connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(StoreError, match="the disk is full; make room") as caught:
            for n in range(100):
                await store.add(record(str(n)), os.urandom(4000))
        assert isinstance(caught.value, OutputError)
        assert str(requests) in str(caught.value) and "\n" not in str(caught.value)
        assert store.get(key("a")) is not None
    assert answers(requests, ["a"]) == ["one"]


FULL = """
import asyncio, resource, sys
from pathlib import Path
from bridge.endpoint.cache import RequestStore, StoreError
from bridge.endpoint.traffic import Record

async def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    kept = 0
    with RequestStore(Path(sys.argv[1])) as store:
        try:
            for n in range(1000):
                record = Record("j", b"%032d" % n, 200, 1, False, 1, 1, 0.1, "stop", None, None, 1.0)
                await store.add(record, bytes(3000))
                kept += 1
        except StoreError as error:
            print(kept, error)

asyncio.run(main())
"""


def test_a_file_that_may_not_grow(requests: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(requests)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    kept, message = done.stdout.split(maxsplit=1)
    assert "requests cannot be kept" in message
    with RequestStore(requests) as store:
        assert store.warning == ""
        assert int(kept) > 10
        assert all(store.get(b"%032d" % n) for n in range(int(kept)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="permissions"):
            RequestStore(tmp_path / "requests.sqlite")
    finally:
        tmp_path.chmod(0o700)


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="requests cannot be kept"):
        RequestStore(tmp_path / "file" / "requests.sqlite")


# Several processes

WRITER = """
import asyncio, sys
from pathlib import Path
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.traffic import Record

async def main(path, name, rows):
    with RequestStore(Path(path)) as store:
        assert not store.warning, store.warning
        async def one(n):
            key = f"{name}{n}".encode().ljust(32, b"-")
            record = Record(name, key, 200, 1, False, 1, 1, 0.1, "stop", None, None, 1.0)
            await store.add(record, f"{name} {n}".encode())
            print(n, flush=True)
        for start in range(0, rows, 25):
            await asyncio.gather(*(one(n) for n in range(start, start + 25)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def writer(path: Path, name: str, rows: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), name, str(rows)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_write_one_file(requests: Path) -> None:
    with writer(requests, "a", 1000) as a, writer(requests, "b", 1000) as b, writer(requests, "c", 1000) as c:
        for process in (a, b, c):
            _, complaints = process.communicate(timeout=60)
            assert process.returncode == 0, complaints
    assert usage(requests).requests == 3000
    names = [f"{name}{n}" for name in "abc" for n in range(1000)]
    assert answers(requests, names) == [f"{name[0]} {name[1:]}" for name in names]


def test_a_killed_process_loses_no_answer_that_was_seen(requests: Path) -> None:
    with writer(requests, "a", 1_000_000) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        seen += process.stdout.readlines()
    seen = [line for line in seen if line.endswith("\n")]
    assert len(seen) >= 500 and process.returncode == -signal.SIGKILL
    names = [f"a{int(line)}" for line in seen]
    with RequestStore(requests) as store:
        assert store.warning == ""
    assert answers(requests, names) == [f"a {int(line)}" for line in seen]
