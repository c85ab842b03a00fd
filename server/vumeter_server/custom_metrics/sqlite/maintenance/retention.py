"""Drops days that are older than they are kept, day by day, so that nobody waits for long.

A day is as old as the last of its points that was flushed, if that is younger than the day itself:
what is recorded with times long past is kept as long as anything else.

A day goes from sight in one short transaction, so that no sum and no session knows of it while
another still does. Its rows go after that, in steps; the table `dropped_days` says of which days
some may be left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vumeter_server.custom_metrics.sqlite.formats.batches import decode_batches
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    SegmentRange,
    delete_days,
    read_sessions,
)
from vumeter_server.custom_metrics.sqlite.ingest.session_codes import session_hash
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import (
    read_state,
    write_state,
)
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

PAGES_AT_ONCE = 500


def organizations(connection: sqlite3.Connection) -> list[int]:
    """Return every organization that has recorded."""
    rows = connection.execute("SELECT organization_id FROM metric_states ORDER BY organization_id")
    return [organization_id for (organization_id,) in rows]


def expired_days(
    connection: sqlite3.Connection, organization_id: int, before_day: int
) -> list[int]:
    """Return the flushed days before `before_day` of which nothing was flushed since."""
    rows = connection.execute(
        "SELECT day FROM metric_days WHERE organization_id = ? AND day < ?"
        " GROUP BY day HAVING max(sealed_us) < ? ORDER BY day",
        (organization_id, before_day, before_day * DAY_US),
    )
    return [day for (day,) in rows]


def hide_day(connection: sqlite3.Connection, organization_id: int, day: int) -> SegmentRange | None:
    """Let nobody see a day from now on; return its segments, None if it has none.

    Its rows are cleaned up afterwards, whatever happens.
    """
    (through,) = connection.execute(
        "SELECT max(part) FROM metric_days WHERE organization_id = ? AND day = ?",
        (organization_id, day),
    ).fetchone()
    if through is None:
        return None
    dropped = SegmentRange(organization_id=organization_id, day=day, first=0, last=through)
    delete_days(connection, dropped)
    compacted.unlist_day(connection, organization_id, day)
    connection.execute(
        "INSERT OR REPLACE INTO dropped_days (organization_id, day, through) VALUES (?, ?, ?)",
        (organization_id, day, through),
    )
    state = read_state(connection, organization_id)
    # The prefix sums of readers hold the day; they are read again.
    state.layout += 1
    write_state(connection, organization_id, state)
    return dropped


def dropped_days(connection: sqlite3.Connection) -> list[SegmentRange]:
    """Return the segments of hidden days that may have rows."""
    rows = connection.execute(
        "SELECT organization_id, day, through FROM dropped_days ORDER BY organization_id, day"
    )
    return [
        SegmentRange(organization_id=organization_id, day=day, first=0, last=through)
        for organization_id, day, through in rows
    ]


def sessions_of(connection: sqlite3.Connection, segments: SegmentRange) -> list[int]:
    """Return the interned ids of the sessions that have points in segments."""
    # They are written plus 1, so that none is 0.
    codes = np.empty(0, np.int64)
    for column in read_sessions(connection, segments):
        codes = np.union1d(codes, column.astype(np.int64))
        check_cancelled()
    sessions: list[int] = (codes[codes > 0] - 1).tolist()
    return sessions


def clean_sessions(
    connection: sqlite3.Connection,
    segments: SegmentRange,
    sessions: list[int],
    forget_sessions: Callable[[int], None],
) -> None:
    """Delete what sessions have of segments, and the sessions that have nothing left.

    Then `forget_sessions` gets the organization, whose codes are no longer all good.
    """
    connection.executemany(
        "DELETE FROM session_points WHERE organization_id = ? AND session_code = ? AND day = ?"
        " AND part <= ?",
        [(segments.organization_id, code, segments.day, segments.last) for code in sessions],
    )
    drop_sessions(connection, segments.organization_id, sessions, forget_sessions)


def set_done(connection: sqlite3.Connection, dropped: SegmentRange) -> None:
    """Say that a hidden day has no rows up to that number."""
    connection.execute(
        "DELETE FROM dropped_days WHERE organization_id = ? AND day = ? AND through = ?",
        (dropped.organization_id, dropped.day, dropped.last),
    )


def drop_sessions(
    connection: sqlite3.Connection,
    organization_id: int,
    sessions: list[int],
    forget_sessions: Callable[[int], None],
) -> None:
    """Drop those of some sessions that have no points; `forget_sessions` as in `clean_sessions`."""
    in_log = _sessions_of_log(connection, organization_id)
    has_points = "SELECT 1 FROM session_points WHERE organization_id = ? AND session_code = ?"
    dropped = False
    for code in sessions:
        where = (organization_id, code)
        if code in in_log or connection.execute(has_points, where).fetchone() is not None:
            continue
        found = connection.execute(
            "DELETE FROM sessions WHERE organization_id = ? AND session_code = ? RETURNING name",
            where,
        ).fetchone()
        if found is not None:
            dropped = True
            connection.execute(
                "DELETE FROM session_hashes"
                " WHERE hash = ? AND organization_id = ? AND session_code = ?",
                (session_hash(organization_id, found[0]), *where),
            )
    if dropped:
        forget_sessions(organization_id)


def _sessions_of_log(connection: sqlite3.Connection, organization_id: int) -> set[int]:
    rows = connection.execute(
        "SELECT columns FROM metric_batches WHERE organization_id = ?", (organization_id,)
    )
    sessions: set[int] = set()
    for (columns,) in rows:
        sessions.update(np.unique(decode_batches([columns])["session"]).tolist())
    return sessions


def vacuum_some(connection: sqlite3.Connection) -> bool:
    """Return some free pages to the file system; False if there are none."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    for _ in range(min(free, PAGES_AT_ONCE)):
        # SQLite frees a page a step of this statement, of which Python takes only the first.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return bool(free)
