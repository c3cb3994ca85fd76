"""A thread that writes rows to SQLite in groups: one transaction for all that came in while the last was written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

Row = tuple[Any, ...]
_ROWS_A_STATEMENT = 64
"""Rows of one INSERT: one call into SQLite and one transaction, so that the event loop is disturbed once for all."""


@dataclass(slots=True)
class _Batch:
    """The rows of one turn of the event loop, and who waits for them."""

    loop: asyncio.AbstractEventLoop
    rows: list[Row] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class GroupWriter:
    """Writes rows into ``table`` of a connection that nobody else uses.

    ``explain`` turns SQLite's error into the one that waiters get.
    """

    def __init__(
        self, connection: sqlite3.Connection, table: str, columns: int, explain: Callable[[sqlite3.Error], Exception]
    ) -> None:
        self._connection = connection
        self._table, self._columns = table, columns
        self._explain = explain
        self._batch: _Batch | None = None
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self.lost: Exception | None = None
        """Why rows that nobody waited for were not written."""
        self._thread = Thread(target=self._run, name="requests-writer", daemon=True)
        self._thread.start()

    def write(self, row: Row) -> asyncio.Future[None]:
        """The future is done once the row is committed."""
        batch = self._open_batch()
        written = batch.loop.create_future()
        batch.rows.append(row)
        batch.waiting.append(written)
        return written

    def write_later(self, row: Row) -> None:
        """Writes it without anybody waiting; an error is in ``lost``."""
        self._open_batch().rows.append(row)

    def close(self) -> None:
        """Writes what is left."""
        self._hand_over()
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _open_batch(self) -> _Batch:
        if self._batch is None:
            self._batch = _Batch(asyncio.get_running_loop())
            self._batch.loop.call_soon(self._hand_over)
        return self._batch

    def _hand_over(self) -> None:
        if self._batch:
            self._queue.put(self._batch)
            self._batch = None

    def _run(self) -> None:
        while batches := self._next():
            rows = [row for batch in batches for row in batch.rows]
            error = self._insert(rows)
            for batch in batches:
                _tell(batch, error)
            if error and any(len(batch.rows) > len(batch.waiting) for batch in batches):
                self.lost = error

    def _next(self) -> list[_Batch]:
        """All that waits to be written; empty at the end."""
        batches: list[_Batch] = []
        batch = self._queue.get()
        while batch is not None:
            batches.append(batch)
            try:
                batch = self._queue.get_nowait()
            except Empty:
                return batches
        if batches:
            self._queue.put(None)
        return batches

    def _insert(self, rows: Sequence[Row]) -> Exception | None:
        try:
            for start in range(0, len(rows), _ROWS_A_STATEMENT):
                part = rows[start : start + _ROWS_A_STATEMENT]
                statement = _insert_statement(self._table, self._columns, len(part))
                self._connection.execute(statement, [value for row in part for value in row])
        except sqlite3.Error as error:
            return self._explain(error)
        return None


@cache
def _insert_statement(table: str, columns: int, rows: int) -> str:
    one = f"(NULL{', ?' * columns})"
    return f"INSERT INTO {table} VALUES {', '.join([one] * rows)}"


def _tell(batch: _Batch, error: Exception | None) -> None:
    if not batch.waiting:
        return
    try:
        batch.loop.call_soon_threadsafe(_resolve, batch.waiting, error)
    except RuntimeError:
        # The loop is closed: nobody waits any more, and the rows are written.
        return


def _resolve(waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
    for written in waiting:
        if written.done():
            continue
        if error:
            written.set_exception(error)
        else:
            written.set_result(None)
