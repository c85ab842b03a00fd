"""Drops days that are older than they are kept, in steps that keep nobody waiting.

A day is as old as the last of its points that was sealed, if that is younger than the day itself:
what is recorded with times long past is kept as long as anything else.

First a day's columns and sums go, in one transaction a day. Then the points of sessions, session by
session in lots, and the sessions that have none left. Each step can be the last before the power
goes: the next run finds what remains by its age.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import numpy as np

from vumeter_server.custom_metrics.sqlite.columns import DAY_US, POINT
from vumeter_server.custom_metrics.sqlite.dictionaries import (
    read_state,
    session_hash,
    write_state,
)
from vumeter_server.custom_metrics.sqlite.sealing import delete_day

SESSIONS_AT_ONCE = 2_000
PAGES_AT_ONCE = 500
EVERY_PART = 2**62


def organizations(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return every organization that has recorded, and how many sessions it has had."""
    return connection.execute(
        "SELECT organization_id, sessions FROM metric_states ORDER BY organization_id"
    ).fetchall()


def expired_days(
    connection: sqlite3.Connection, organization_id: int, before_day: int
) -> list[int]:
    """Return the sealed days before `before_day` of which nothing was sealed since."""
    rows = connection.execute(
        "SELECT day FROM metric_days WHERE organization_id = ? AND day < ?"
        " GROUP BY day HAVING max(sealed_us) < ? ORDER BY day",
        (organization_id, before_day, before_day * DAY_US),
    )
    return [day for (day,) in rows]


def drop_day(connection: sqlite3.Connection, organization_id: int, day: int) -> None:
    """Drop a day, but for its sessions."""
    delete_day(connection, organization_id, day, EVERY_PART)
    state = read_state(connection, organization_id)
    # Readers' totals hold the day; they are read anew.
    state.layout += 1
    write_state(connection, organization_id, state)


def drop_sessions(
    connection: sqlite3.Connection,
    organization_id: int,
    before_day: int,
    first: int,
    forget: Callable[[int], None],
) -> None:
    """Drop what SESSIONS_AT_ONCE sessions from code `first` on have of dropped days.

    Only days before `before_day` are looked for.

    Sessions that have nothing left go altogether; then `forget` is told the organization, whose
    codes are no longer all good.
    """
    of_lot = (organization_id, first, first + SESSIONS_AT_ONCE)
    cut = {
        code
        for (code,) in connection.execute(
            "DELETE FROM session_points WHERE organization_id = ?1"
            " AND session_code >= ?2 AND session_code < ?3 AND day < ?4 AND day NOT IN"
            " (SELECT day FROM metric_days WHERE organization_id = ?1 AND day < ?4)"
            " RETURNING session_code",
            (*of_lot, before_day),
        )
    }
    if not cut:
        return
    kept = {
        code
        for (code,) in connection.execute(
            "SELECT DISTINCT session_code FROM session_points WHERE organization_id = ?"
            " AND session_code >= ? AND session_code < ?",
            of_lot,
        )
    }
    left = cut - kept - _sessions_of_log(connection, organization_id)
    for code in sorted(left):
        where = (organization_id, code)
        (name,) = connection.execute(
            "DELETE FROM sessions WHERE organization_id = ? AND session_code = ? RETURNING name",
            where,
        ).fetchone()
        connection.execute(
            "DELETE FROM session_hashes"
            " WHERE hash = ? AND organization_id = ? AND session_code = ?",
            (session_hash(organization_id, name), *where),
        )
    if left:
        forget(organization_id)


def _sessions_of_log(connection: sqlite3.Connection, organization_id: int) -> set[int]:
    rows = connection.execute(
        "SELECT columns FROM metric_batches WHERE organization_id = ?", (organization_id,)
    )
    sessions: set[int] = set()
    for (columns,) in rows:
        sessions.update(np.unique(np.frombuffer(columns, POINT)["session"]).tolist())
    return sessions


def give_back(connection: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; False if there are none."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free:
        connection.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()
    return bool(free)
