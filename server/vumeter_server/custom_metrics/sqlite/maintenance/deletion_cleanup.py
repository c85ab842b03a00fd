"""What is left of a deletion once it is applied, or of one that is given up: rows nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.segments import SegmentRange
from vumeter_server.custom_metrics.sqlite.formats.sessions import NO_POINTS
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import PointDeletion
from vumeter_server.custom_metrics.sqlite.maintenance.retention import drop_sessions
from vumeter_server.sqlite.library import sqlite3

Integers = npt.NDArray[np.int64]
SessionDay = tuple[int, int]
"""The interned id of a session, and a day since the epoch."""


@dataclass(kw_only=True, slots=True, eq=False)
class Written:
    """What a deletion has written: on which days, and of which sessions' days.

    Attributes:
        days: the days that it writes again.
        sessions: what lost points.
        emptied: those of `sessions` of which nothing is left.
    """

    days: list[int] = field(default_factory=list)
    sessions: list[SessionDay] = field(default_factory=list)
    emptied: list[SessionDay] = field(default_factory=list)

    def add(self, day: int, sessions: Integers, emptied: Integers) -> None:
        """Add a day with the sessions that lost points of it."""
        self.days.append(day)
        self.sessions.extend((code, day) for code in sessions.tolist())
        self.emptied.extend((code, day) for code in emptied.tolist())


def find_written(snapshot: Snapshot, found: PointDeletion) -> Written:
    """Find what a deletion has written that was cut short."""
    connection, organization_id = snapshot.connection, snapshot.organization_id
    numbers = (organization_id, found.number, found.last)
    rows = connection.execute(
        "SELECT day FROM metric_columns WHERE organization_id = ?1"
        " AND (part BETWEEN ?2 AND ?3 OR part < ?2 AND"
        " NOT EXISTS (SELECT 1 FROM metric_days d WHERE d.organization_id = ?1"
        " AND d.day = metric_columns.day AND d.part = metric_columns.part)) GROUP BY day",
        numbers,
    )
    written = Written(days=[day for (day,) in rows])
    for code, day, size in connection.execute(
        "SELECT session_code, day, length(columns) FROM session_points"
        " WHERE organization_id = ? AND part BETWEEN ? AND ?",
        numbers,
    ):
        written.sessions.append((code, day))
        if size == len(NO_POINTS):
            written.emptied.append((code, day))
    return written


def replaced_segments(connection: sqlite3.Connection, before: SegmentRange) -> SegmentRange:
    """Return the segments that a deletion has replaced, of those before it.

    What retention has dropped of the day is none of them: it needs the columns to clean up.
    """
    row = connection.execute(
        "SELECT through FROM dropped_days WHERE organization_id = ? AND day = ?",
        (before.organization_id, before.day),
    ).fetchone()
    return before if row is None else replace(before, first=row[0] + 1)


def clean_sessions(
    connection: sqlite3.Connection,
    organization_id: int,
    number: int,
    sessions: list[SessionDay],
    emptied: list[SessionDay],
    forget_sessions: Callable[[int], None],
) -> None:
    """Delete the rows of sessions that were replaced, and the sessions that have no points."""
    connection.executemany(
        "DELETE FROM session_points WHERE organization_id = ? AND session_code = ? AND day = ?"
        " AND part < ?",
        [(organization_id, code, day, number) for code, day in sessions],
    )
    connection.executemany(
        "DELETE FROM session_points WHERE organization_id = ? AND session_code = ? AND day = ?"
        " AND part = ?",
        [(organization_id, code, day, number) for code, day in emptied],
    )
    codes = sorted({code for code, _ in emptied})
    drop_sessions(connection, organization_id, codes, forget_sessions)


def undo_sessions(
    connection: sqlite3.Connection, found: PointDeletion, sessions: list[SessionDay]
) -> None:
    """Delete what a deletion that is not applied has written of sessions."""
    connection.executemany(
        "DELETE FROM session_points WHERE organization_id = ? AND session_code = ? AND day = ?"
        " AND part BETWEEN ? AND ?",
        [(found.organization_id, code, day, found.number, found.last) for code, day in sessions],
    )


def undo_uses(connection: sqlite3.Connection, organization_id: int, number: int) -> None:
    """Take back which uses a deletion that is not applied takes out."""
    connection.execute(
        "UPDATE metric_uses SET deleted_by = NULL WHERE organization_id = ? AND deleted_by = ?",
        (organization_id, number),
    )
