"""The one writer: a thread that runs jobs in transactions that concurrent callers share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from vumeter_server.errors import Unavailable
from vumeter_server.runtime.damage import Damage
from vumeter_server.sqlite.failures import as_public, is_damage, tables_read
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.telemetry.spans import span

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]

MAX_JOBS_WAITING = 10_000
MAX_JOBS_A_TRANSACTION = 256

_DATABASE = {"db.system.name": "sqlite"}
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    job: Job
    rolled_back: Callable[[], None] | None
    committed: Callable[[], None] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class WriterObserver(Protocol):
    """Is called for each transaction, in the writer's thread."""

    def committed(self, jobs: int, transaction_seconds: float, commit_seconds: float) -> None:
        """Take note of a transaction, and how long it and its commit alone took."""

    def failed(self) -> None:
        """Take note of a transaction that the storage failed."""


class _MetDamage(Exception):
    """A job met damage: SQLite lets nobody write in such a transaction any more."""

    def __init__(self, waiting: _Waiting, error: BaseException) -> None:
        super().__init__()
        self.waiting = waiting
        self.error = error


def in_transaction(connection: sqlite3.Connection, job: Callable[[sqlite3.Connection], T]) -> T:
    """Run `job` in a transaction that is undone if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


class Writer:
    """Runs jobs one after another in a thread of its own, with group commit.

    Jobs that wait at the same time share one transaction, each in a savepoint, so that the cost of
    a synced commit is shared too. A job is answered only after the commit.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        damage: Damage | None = None,
        observer: WriterObserver | None = None,
    ) -> None:
        self._connection = connection
        self._damage = damage or Damage()
        self._observer = observer
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="vumeter-writer", daemon=True)
        self._thread.start()

    async def run(
        self,
        job: Callable[[sqlite3.Connection], T],
        *,
        rolled_back: Callable[[], None] | None = None,
        committed: Callable[[], None] | None = None,
    ) -> T:
        """Run `job` and return its result once it is committed.

        What the job raises undoes that job alone and is raised here. Storage that is busy, full or
        failing raises Unavailable, damaged storage StorageDamaged, and nothing of the job remains.
        A job is run again if another met damage in their transaction. `rolled_back` runs in the
        writer thread whenever the job's work is undone after it began, `committed` there right
        after the commit, before anyone is answered: both keep caches in step with the file.

        They are callbacks, and no results, because the job can be undone or committed when its
        caller is gone (cancelled), and because the next job of the same transaction runs before any
        caller gets its result: what it reads from a cache has to be right by then.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._changed:
            if self._closing:
                raise Unavailable("Shutting down")
            if len(self._waiting) >= MAX_JOBS_WAITING:
                raise Unavailable("Storage is busy")
            self._waiting.append(_Waiting(job, rolled_back, committed, loop, future))
            self._changed.notify()
        with span("write", _DATABASE):
            return await future

    @property
    def queue_length(self) -> int:
        """How many jobs wait for a transaction."""
        return len(self._waiting)

    def close(self) -> None:
        """Finish the jobs that wait, reject new ones, and close the connection."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closing:
                        return
                    self._changed.wait()
                group = [
                    self._waiting.popleft()
                    for _ in range(min(len(self._waiting), MAX_JOBS_A_TRANSACTION))
                ]
            group = [each for each in group if not each.future.cancelled()]
            if group:
                self._run_group(group)
                self._answer(group)

    def _run_group(self, group: list[_Waiting]) -> None:
        connection = self._connection
        done: list[_Waiting] = []
        begun = time.perf_counter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for each in group:
                self._run_job(each, done)
            committing = time.perf_counter()
            connection.execute("COMMIT")
        except _MetDamage as met:
            self._roll_back(done)
            if self._observer is not None:
                self._observer.failed()
            met.waiting.error = as_public(met.error, self._damage, self._tables_of(met.waiting))
            # The others are run again, each in a transaction of its own: more may meet damage.
            for each in group:
                if each.error is None:
                    self._run_group([each])
        except sqlite3.Error as error:
            _log.error("transaction_failed", error=str(error), jobs=len(group))
            self._roll_back(done)
            public = as_public(error, self._damage)
            for each in group:
                if each.error is None:
                    each.error = public
            if self._observer is not None:
                self._observer.failed()
        else:
            if self._observer is not None:
                now = time.perf_counter()
                self._observer.committed(len(done), now - begun, now - committing)
            for each in done:
                _tell(each.committed)

    def _run_job(self, each: _Waiting, done: list[_Waiting]) -> None:
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            each.result = each.job(connection)
        except BaseException as error:
            if is_damage(error):
                _tell(each.rolled_back)
                raise _MetDamage(each, error) from error
            each.error = as_public(error, self._damage)
            if each.error is not error:
                _log.error("storage_failed", error=str(error))
            _tell(each.rolled_back)
            if not connection.in_transaction:
                # SQLite undid the whole transaction (a full disk does that): nobody's work is left.
                raise sqlite3.OperationalError("transaction was rolled back") from error
            connection.execute("ROLLBACK TO job")
        else:
            done.append(each)
        connection.execute("RELEASE job")

    def _tables_of(self, waiting: _Waiting) -> list[str]:
        """Return the tables that a job used last when it met damage; nothing of it remains."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            return tables_read(self._connection, waiting.job)
        except sqlite3.Error:
            return []
        finally:
            self._roll_back([waiting])

    def _roll_back(self, done: list[_Waiting]) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        for each in done:
            _tell(each.rolled_back)

    @staticmethod
    def _answer(group: list[_Waiting]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        for each in group:
            by_loop.setdefault(each.loop, []).append(each)
        for loop, answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, answers)
            except RuntimeError:
                _log.warning("caller_gone", jobs=len(answers))


def _tell(callback: Callable[[], None] | None) -> None:
    """Call back; what the callback raises must not end the thread that everybody waits for."""
    if callback is None:
        return
    try:
        callback()
    except Exception:
        _log.exception("callback_failed")


def _resolve(group: list[_Waiting]) -> None:
    for each in group:
        if each.future.cancelled():
            continue
        if each.error is not None:
            each.future.set_exception(each.error)
        else:
            each.future.set_result(each.result)
