"""The copy that an export reads: what it needs of the database, taken in one read transaction.

While a reader's transaction is open, SQLite cannot take over what was committed since, and its log
grows. An export lasts as long as its caller likes. So it copies the blobs of the segments that it
is about as they are, some bytes a point, ends the transaction, and is then disturbed by nothing.

The copy is a database of its own beside the database file, without a name in its folder, so that it
goes with the process. A small one stays in memory.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.questions import ExportQuery, Selection
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    DAY_US,
    DISTRIBUTION_KIND,
    Array,
    Kind,
    decode,
)
from vumeter_server.custom_metrics.sqlite.formats.segments import read_blobs
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.custom_metrics.sqlite.query.scan import Scan, Wanted
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

SCHEMA: Final = (
    "PRAGMA page_size = 65536",
    "PRAGMA cache_size = -8192",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "CREATE TABLE columns (day INTEGER, metric_code INTEGER, kind INTEGER, part INTEGER,"
    " points INTEGER, column BLOB)",
    "CREATE INDEX columns_by_day ON columns (kind, day, metric_code, part)",
    "CREATE TABLE sessions (session_code INTEGER PRIMARY KEY, name TEXT)",
    # Nothing is ever committed: what fits into the cache is not written.
    "BEGIN",
)
_INSERT: Final = (
    "INSERT INTO columns (day, part, points, column, metric_code, kind) VALUES (?, ?, ?, ?, ?, ?)"
)
SESSIONS_AT_ONCE: Final = 10_000

ColumnKey = tuple[int, int, int]
"""Day, metric and part."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeadOfExport:
    """The points of the head that are exported, by time and then as they were recorded.

    Attributes:
        metrics, values, times_us, label_sets, sessions: [points]; sessions are -1 for none.
        distributions: those among them.
    """

    metrics: Array
    values: Array
    times_us: Array
    label_sets: Array
    sessions: Array
    distributions: Distributions | None


class ExportCopy:
    """One copy; `close` gives back what it takes, also while another thread is using it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The copy, once it is made and until it is closed."""
        if self._connection is None:
            raise RuntimeError("the copy is not open")
        return self._connection

    def close(self) -> None:
        """Drop the copy, now or once `use` is over."""
        self._is_closed = True
        self._drop_closed()

    def __enter__(self) -> None:
        """Use the copy in this thread."""
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        """Let others use it."""
        self._lock.release()
        self._drop_closed()

    def _drop_closed(self) -> None:
        if self._is_closed and self._lock.acquire(blocking=False):
            try:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            finally:
                self._lock.release()

    def make(self, snapshot: Snapshot, query: ExportQuery, metrics: Sequence[int]) -> CopiedPoints:
        """Copy what a query is about, of these metrics."""
        matching = PointFilter(snapshot, query.filters)
        self._connection = _temporary_beside(_path_of(snapshot.connection))
        days = (query.start_us // DAY_US, -(-query.end_us // DAY_US))
        used = np.zeros(snapshot.state.sessions + 1, np.bool_)
        if not matching.matches_nothing:
            for code in metrics:
                self._copy_segments(snapshot, code, days, used)
        selection = Selection(start_us=query.start_us, end_us=query.end_us)
        scan = Scan(snapshot, selection, metrics, Wanted(distributions=True), matching)
        head = _head_of(scan)
        used[head.sessions + 1] = True
        self._copy_sessions(snapshot, np.flatnonzero(used[1:]))
        return CopiedPoints(copy=self, snapshot=snapshot, matching=matching, head=head)

    def _copy_segments(
        self,
        snapshot: Snapshot,
        metric_code: int,
        days: tuple[int, int],
        used: npt.NDArray[np.bool_],
    ) -> None:
        for kind in (*map(int, Kind), DISTRIBUTION_KIND):
            check_cancelled()
            rows = read_blobs(
                snapshot.connection, snapshot.organization_id, metric_code, kind, days
            )
            if kind == Kind.SESSION:
                rows = _noting_sessions(rows, used)
            self.connection.executemany(_INSERT, ((*row, metric_code, kind) for row in rows))

    def _copy_sessions(self, snapshot: Snapshot, codes: npt.NDArray[np.int64]) -> None:
        for start in range(0, len(codes), SESSIONS_AT_ONCE):
            check_cancelled()
            are_chosen, parameters = _sessions_in(codes[start : start + SESSIONS_AT_ONCE])
            rows = snapshot.connection.execute(
                "SELECT session_code, name FROM sessions"  # noqa: S608 - numbers of ours
                f" WHERE organization_id = ? AND {are_chosen}",
                (snapshot.organization_id, *parameters),
            )
            self.connection.executemany("INSERT INTO sessions VALUES (?, ?)", rows)

    def days(self) -> list[tuple[int, int]]:
        """Return the days that there are, in order, with how many points each has."""
        return self.connection.execute(
            "SELECT day, sum(points) FROM columns WHERE kind = ? GROUP BY day ORDER BY day",
            (int(Kind.VALUE),),
        ).fetchall()

    def times(self, first: int, end: int) -> Iterator[tuple[ColumnKey, bytes]]:
        """Yield the times of days [first, end), by day, metric and part in that order."""
        rows = self.connection.execute(
            "SELECT day, metric_code, part, column FROM columns"
            " WHERE day >= ? AND day < ? AND kind = ? ORDER BY day, metric_code, part",
            (first, end, int(Kind.TIME)),
        )
        for *key, blob in rows:
            yield tuple(key), blob

    def column(self, key: ColumnKey, kind: int) -> bytes | None:
        """Return one column of a metric's part of a day; None if there is none."""
        day, metric_code, part = key
        found = self.connection.execute(
            "SELECT column FROM columns"
            " WHERE day = ? AND kind = ? AND metric_code = ? AND part = ?",
            (day, kind, metric_code, part),
        ).fetchone()
        return None if found is None else found[0]

    def session_names(self, codes: npt.NDArray[np.int64]) -> dict[int, str]:
        """Return the names of sessions, given in ascending order, and maybe of others."""
        are_chosen, parameters = _sessions_in(codes)
        return dict(
            self.connection.execute(
                f"SELECT session_code, name FROM sessions WHERE {are_chosen}",  # noqa: S608 - see above
                parameters,
            ).fetchall()
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CopiedPoints:
    """A copy that is made, and what of its view is in memory anyway.

    Of `snapshot` only what needs no transaction may be read.
    """

    copy: ExportCopy
    snapshot: Snapshot
    matching: PointFilter
    head: HeadOfExport


def _sessions_in(codes: npt.NDArray[np.int64]) -> tuple[str, tuple[int | str, ...]]:
    """Return the condition for some sessions, and its parameters.

    `codes` are ascending. Where most of a range are wanted, all of it is read, which is faster.
    """
    if not len(codes):
        return "false", ()
    first, last = int(codes[0]), int(codes[-1])
    if last - first < 2 * len(codes):
        return "session_code BETWEEN ? AND ?", (first, last)
    listed = orjson.dumps(codes.tolist()).decode()
    return "session_code IN (SELECT value FROM json_each(?))", (listed,)


def _noting_sessions(
    rows: Iterator[tuple[int, int, int, bytes]], used: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, int, int, bytes]]:
    for row in rows:
        # They are written plus 1, and 0 is none.
        used[decode(row[3])] = True
        yield row


def _head_of(scan: Scan) -> HeadOfExport:
    found = list(scan.head())
    if not found:
        none = np.empty(0, np.int64)
        return HeadOfExport(
            metrics=none,
            values=np.empty(0, np.float64),
            times_us=none,
            label_sets=none,
            sessions=none,
            distributions=None,
        )
    # The head is one piece, and has all columns.
    (points,) = found
    assert points.times_us is not None
    assert points.label_sets is not None
    assert points.sessions is not None
    order = np.argsort(points.times_us, kind="stable")
    return HeadOfExport(
        metrics=np.asarray(points.metric_codes)[order],
        values=points.values[order],
        times_us=points.times_us[order],
        label_sets=points.label_sets[order],
        sessions=points.sessions[order],
        distributions=points.distributions and points.distributions.taken(order, len(order)),
    )


def _path_of(connection: sqlite3.Connection) -> Path:
    return Path(
        next(path for _, name, path in connection.execute("PRAGMA database_list") if name == "main")
    )


def _temporary_beside(database: Path) -> sqlite3.Connection:
    """Open an empty database in the folder of another, where there is room, without a name."""
    descriptor, path = tempfile.mkstemp(prefix=f"{database.name}.export-", dir=database.parent)
    try:
        os.close(descriptor)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for statement in SCHEMA:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
    finally:
        Path(path).unlink()
    return connection
