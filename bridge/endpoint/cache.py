"""``requests.sqlite``: every answer that was ever given, and a record of every request, in one file.

Several processes may use it at once. It is in WAL mode with ``synchronous=NORMAL``: what is committed survives the
death of the process at any moment; a power failure may cost the last seconds, never the file.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from zlib import crc32

from bridge.endpoint.traffic import SCHEMA, SCHEMA_VERSION, Record, StoreError
from bridge.endpoint.writer import GroupWriter

__all__ = ["RequestStore", "StoreError", "Stored"]

_BUSY_S = 60.0
"""How long to wait for another process that writes."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FIND = "SELECT body, latency_s, crc FROM requests WHERE key = ? AND body IS NOT NULL ORDER BY id DESC LIMIT 1"


class Stored(NamedTuple):
    """An answer from the cache."""

    body: bytes
    latency_s: float | None
    """What it took when it was asked."""


class RequestStore:
    """Cache and traffic of a run; a context manager. To be used from one event loop.

    ``warning``: one line for the user where the file was damaged or incomplete; empty where all is well.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the file. A damaged one is set aside and a new one begun. Raises ``StoreError``."""
        self.path = path
        self.warning = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone_in(path.parent):
                self.warning = _set_aside_if_damaged(path)
                connection = _connect(path)
                self._reader = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise self._explained(error) from error
        self._writer = GroupWriter(connection, "requests", len(Record._fields) + 2, self._explained)

    def get(self, key: bytes) -> Stored | None:
        """The answer to the request with this key, where there is one. Raises ``StoreError``."""
        try:
            row = self._reader.execute(_FIND, (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        if row is None:
            return None
        body, latency_s, crc = row
        if crc32(body, crc32(key)) != crc:
            self.warning = f"{self.path}: an answer in it is damaged; it is asked for again"
            return None
        return Stored(body, latency_s)

    async def add(self, record: Record, body: bytes) -> None:
        """Keeps an answer; returns once it is on disk. Raises ``StoreError``."""
        await self._writer.write((*record, crc32(body, crc32(record.key)), body))

    def note(self, record: Record) -> None:
        """Records a request without an answer of its own, at leisure."""
        self._writer.write_later((*record, None, None))

    def close(self) -> None:
        """Writes what is left. Where records are lost, ``warning`` says so; answers are kept or ``add`` has raised."""
        self._reader.close()
        self._writer.close()
        if self._writer.lost:
            self.warning = f"some requests were not recorded: {self._writer.lost}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _explained(self, error: OSError | sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            hint = "the disk is full; make room, then run the same command again to go on where this stopped"
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            hint = "another process keeps it locked; is a second bridge running here?"
        elif code in _DAMAGED:
            hint = "the file is damaged; run the same command again: it will be set aside and a new one begun"
        else:
            hint = "check disk space and permissions, then run the same command again to go on where this stopped"
        return StoreError(f"{self.path}: requests cannot be kept ({error}): {hint}")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time opens, checks or sets aside a store in this folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _set_aside_if_damaged(path: Path) -> str:
    """Renames a file that is no sound store of ours; what was done, in one line, or an empty string."""
    if not path.exists() or not (wrong := _what_is_wrong(path)):
        return ""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
    path.rename(aside)
    for part in ("-wal", "-shm"):
        # The two belong to the file: left here, they would be taken for parts of the new one.
        beside = path.with_name(path.name + part)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + part))
    return f"{path}: {wrong}; set aside as {aside.name} and begun anew, so what was answered there is asked again"


def _what_is_wrong(path: Path) -> str:
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_S)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            if tables and version != SCHEMA_VERSION:
                return f"of another version of bridge (format {version}, not {SCHEMA_VERSION})"
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            return "" if sound == "ok" else "damaged"
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGED:
            return "damaged"
        raise


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: every INSERT is one transaction. Two threads, but each connection is used by one of them.
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'requests'").fetchone():
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
    return connection
