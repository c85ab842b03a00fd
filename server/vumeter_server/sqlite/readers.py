"""The readers: threads with a read-only connection each, in two pools so that quick ones pass."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from vumeter_server.errors import StorageDamaged, Unavailable
from vumeter_server.runtime.damage import Damage
from vumeter_server.runtime.priorities import give_way
from vumeter_server.sqlite.disk_reads import DiskReads
from vumeter_server.sqlite.failures import as_public, is_damage, tables_read
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.telemetry.spans import span

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], Any]

# Threads share the interpreter's lock: more of them wait for each other more than they do.
QUICK_THREADS = 1
HEAVY_THREADS = 2
MAX_QUERIES_WAITING = 1_000
_QUICK = {"db.system.name": "sqlite", "vumeter.pool": "quick"}
_HEAVY = {"db.system.name": "sqlite", "vumeter.pool": "heavy"}
# Answers wait for those that were asked with them for no longer than this.
ANSWERED_TOGETHER_FOR_SECONDS = 0.001


class Cancelled(Exception):
    """The caller of the running query has gone; nobody reads what it would answer."""


@dataclass(slots=True, eq=False)
class _Asked:
    query: Query
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    cancelled: bool = False
    result: Any = None
    error: BaseException | None = None


_running = threading.local()


def check_cancelled() -> None:
    """Raise if the caller of the query that runs in this thread has gone.

    Long work outside of SQLite calls it between its steps; SQLite itself is interrupted.
    """
    asked: _Asked | None = getattr(_running, "asked", None)
    if asked is not None and asked.cancelled:
        raise Cancelled


class Readers:
    """Runs queries in threads, each in one read transaction: a snapshot of the file."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], damage: Damage | None = None
    ) -> None:
        self._damage = damage or Damage()
        self._peeking = connect()
        self._disk_reads = DiskReads()
        self._quick = _Pool(
            "quick", QUICK_THREADS, connect, self._damage, together=True, heavy=False
        )
        self._heavy = _Pool(
            "heavy", HEAVY_THREADS, connect, self._damage, together=False, heavy=True
        )

    async def run(self, query: Callable[[sqlite3.Connection], T], *, heavy: bool = False) -> T:
        """Run `query` in a thread and return its result.

        If the caller is cancelled (its deadline, or it went away) SQLite is interrupted. Raises
        Unavailable if too many queries wait.
        """
        with span("read", _HEAVY if heavy else _QUICK):
            answer: T = await (self._heavy if heavy else self._quick).run(query)
        return answer

    def peek(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in the caller's thread: one row, of a page that every commit writes.

        Handing such a query to a thread costs ten times what it does. Not for what may have to be
        read from a disk.
        """
        # Every query peeks: a context manager would take as long as the rest of this.
        try:
            return query(self._peeking)
        except (sqlite3.Error, StorageDamaged) as error:
            _raise_public(error, self._peeking, self._damage, query)

    def can_peek_at_rows(self) -> bool:
        """Whether some rows will probably be read without waiting for a disk."""
        return self._disk_reads.are_unlikely()

    def peek_at_rows(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in the caller's thread, in a read transaction: for a few rows."""

        def read() -> T:
            connection = self._peeking
            try:
                connection.execute("BEGIN")
                try:
                    return query(connection)
                finally:
                    _end_transaction(connection)
            except (sqlite3.Error, StorageDamaged) as error:
                _raise_public(error, connection, self._damage, query)

        return self._disk_reads.watch(read)

    def waiting(self) -> dict[str, int]:
        """Return how many queries wait or run, by pool."""
        return {"quick": self._quick.waiting, "heavy": self._heavy.waiting}

    def close(self) -> None:
        """Let the running queries finish and close the connections."""
        self._quick.close()
        self._heavy.close()
        self._peeking.close()


class _Pool:
    """Threads that answer queries.

    Waking a thread, and waking the loop again, costs more than a quick query does. So what is asked
    in one turn of the loop is handed over together where `together` is set.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        connect: Callable[[], sqlite3.Connection],
        damage: Damage,
        *,
        together: bool,
        heavy: bool,
    ) -> None:
        self._asked: queue.SimpleQueue[list[_Asked] | None] = queue.SimpleQueue()
        self._together = together
        self._collected: list[_Asked] = []
        self.waiting = 0
        """How many queries are not answered yet."""
        self._threads = [
            _ReaderThread(f"vumeter-{name}-{number}", connect, damage, self._asked, heavy)
            for number in range(threads)
        ]

    async def run(self, query: Query) -> Any:
        if self.waiting >= MAX_QUERIES_WAITING:
            raise Unavailable("Storage is busy")
        self.waiting += 1
        try:
            return await self._answer(query)
        finally:
            self.waiting -= 1

    async def _answer(self, query: Query) -> Any:
        loop = asyncio.get_running_loop()
        asked = _Asked(query, loop, loop.create_future())
        if not self._together:
            self._asked.put([asked])
        else:
            if not self._collected or self._collected[0].loop is not loop:
                self._collected = []
                loop.call_soon(self._hand_over)
            self._collected.append(asked)
        try:
            return await asked.future
        except asyncio.CancelledError:
            asked.cancelled = True
            for thread in self._threads:
                thread.interrupt(asked)
            raise

    def _hand_over(self) -> None:
        collected, self._collected = self._collected, []
        self._asked.put(collected)

    def close(self) -> None:
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads:
            thread.join()


class _ReaderThread(threading.Thread):
    def __init__(
        self,
        name: str,
        connect: Callable[[], sqlite3.Connection],
        damage: Damage,
        asked: queue.SimpleQueue[list[_Asked] | None],
        heavy: bool,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._connection = connect()
        self._damage = damage
        self._queue = asked
        self._heavy = heavy
        self._current: _Asked | None = None
        self._lock = threading.Lock()
        self.start()

    def interrupt(self, asked: _Asked) -> None:
        with self._lock:
            if self._current is asked:
                self._connection.interrupt()

    def run(self) -> None:
        if self._heavy:
            give_way()
        while (together := self._queue.get()) is not None:
            answered: list[_Asked] = []
            until = time.monotonic() + ANSWERED_TOGETHER_FOR_SECONDS
            for asked in together:
                if not asked.cancelled:
                    self._answer(asked)
                    answered.append(asked)
                if time.monotonic() > until:
                    _hand_back(answered)
                    answered = []
            _hand_back(answered)
        self._connection.close()

    def _answer(self, asked: _Asked) -> None:
        with self._lock:
            self._current = _running.asked = asked
        try:
            self._connection.execute("BEGIN")
            asked.result = asked.query(self._connection)
        except BaseException as raised:
            tables = tables_read(self._connection, asked.query) if is_damage(raised) else None
            asked.error = as_public(raised, self._damage, tables)
        finally:
            with self._lock:
                self._current = _running.asked = None
            _end_transaction(self._connection)


def _end_transaction(connection: sqlite3.Connection) -> None:
    """End a read transaction; nothing is lost whatever becomes of it."""
    if not connection.in_transaction:
        return
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        # SQLite reports a damaged page here too, which the query has met already.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _raise_public(
    error: sqlite3.Error | StorageDamaged,
    connection: sqlite3.Connection,
    damage: Damage,
    query: Query,
) -> NoReturn:
    tables = tables_read(connection, query) if is_damage(error) else None
    public = as_public(error, damage, tables)
    if public is error:
        raise error
    raise public from error


def _hand_back(answered: list[_Asked]) -> None:
    if answered:
        # The loop may be gone after a hard stop; then nobody waits either.
        with contextlib.suppress(RuntimeError):
            answered[0].loop.call_soon_threadsafe(_resolve_all, answered)


def _resolve_all(answered: list[_Asked]) -> None:
    for asked in answered:
        _resolve(asked.future, asked.result, asked.error)


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
