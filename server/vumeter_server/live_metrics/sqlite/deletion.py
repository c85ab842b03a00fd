"""Deletion of tenants: one job takes a tenant from everyone's sight, its rows go later in steps.

A deletion is a row of `live_deletions`. It waits with the tenant's id, and is applied with the
tenant's number: from then on nothing refers to the number but rows that nobody sees, until none is
left. History of all tenants together is read without them (`history`); who records an id of them
again frees it first (`free_ids`).

Rows go in an order in which no number is given again while a row of it is left: marks, events,
calls, rollups.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.sqlite.timeline import ALL_TENANTS
from vumeter_server.live_metrics.store import TenantContents
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.units import HOUR_US

# So many rows are looked at in one transaction, which takes some milliseconds.
ROWS_AT_ONCE = 10_000
ROLLUPS_AT_ONCE = 1_000
# Whoever waits for a deletion reads its row soon after it is done.
DONE_KEPT_US = HOUR_US

_OF_TENANT = (
    "(tenant_no = ?1 OR EXISTS (SELECT 1 FROM live_calls AS c"
    " WHERE c.call_no = live_events.call_no AND c.tenant_no = ?1))"
)
_SUBTRACT = (
    "UPDATE live_cells AS a SET"
    f" {', '.join(f'{name} = a.{name} - x.{name}' for name in COLUMNS)},"
    " net = a.net - x.net, peak = NULL, changes = a.changes + 1"
    " FROM (SELECT * FROM live_cells WHERE tenant_no = ?1 ORDER BY width, start LIMIT ?2) AS x"
    f" WHERE a.tenant_no = {ALL_TENANTS} AND a.width = x.width AND a.start = x.start"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantDeletion:
    """A deletion: its tenant's id until it is applied, then its tenant's number; what it took."""

    number: int
    tenant_id: str | None
    tenant_no: int | None
    contents: TenantContents
    is_done: bool


def ask(connection: sqlite3.Connection, tenant_id: str, now_us: int) -> int:
    """Add a deletion, which will be carried out whatever happens, and return its number."""
    connection.execute("DELETE FROM live_deletions WHERE done_us < ?", (now_us - DONE_KEPT_US,))
    cursor = connection.execute("INSERT INTO live_deletions (tenant_id) VALUES (?)", (tenant_id,))
    return int(cursor.lastrowid or 0)


def read(connection: sqlite3.Connection, number: int) -> TenantDeletion | None:
    """Return a deletion, None if there is none of that number."""
    row = connection.execute(f"{_SELECT} WHERE deletion_no = ?", (number,)).fetchone()
    return None if row is None else _deletion(row)


def under_way(connection: sqlite3.Connection) -> list[TenantDeletion]:
    """Return the deletions that are not done, in order."""
    rows = connection.execute(f"{_SELECT} WHERE done_us IS NULL ORDER BY deletion_no")
    return [_deletion(row) for row in rows.fetchall()]


def deleted_tenants(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of deleted tenants of which rows may be left."""
    rows = connection.execute(
        "SELECT tenant_no FROM live_deletions WHERE tenant_no IS NOT NULL AND done_us IS NULL"
    )
    return [tenant_no for (tenant_no,) in rows]


def apply(connection: sqlite3.Connection, number: int, tenant_no: int) -> None:
    """Take a tenant from the sight of everyone."""
    connection.execute("DELETE FROM live_totals WHERE tenant_no = ?", (tenant_no,))
    connection.execute("DELETE FROM live_tenants WHERE tenant_no = ?", (tenant_no,))
    connection.execute(
        "UPDATE live_deletions SET tenant_id = NULL, tenant_no = ? WHERE deletion_no = ?",
        (tenant_no, number),
    )


def set_done(connection: sqlite3.Connection, number: int, now_us: int) -> None:
    """Say that nothing of the tenant is left."""
    connection.execute(
        "UPDATE live_deletions SET tenant_id = NULL, done_us = ? WHERE deletion_no = ?",
        (now_us, number),
    )


def free_ids(
    connection: sqlite3.Connection, events: Iterable[Event], deleting: Collection[int]
) -> None:
    """Take the ids that events have from what is deleted and has rows left."""
    event_ids, call_ids = zip(*((each.event_id, each.call_id) for each in events), strict=True)
    for tenant_no in deleting:
        freed = connection.execute(
            "UPDATE live_events SET event_id = NULL"
            f" WHERE event_id IN (SELECT value FROM json_each(?2)) AND {_OF_TENANT}",
            (tenant_no, json.dumps(event_ids)),
        ).rowcount
        _count(connection, tenant_no, events=freed)
        # No call can be called so.
        connection.execute(
            "UPDATE live_calls SET call_id = char(0) || call_no"
            " WHERE call_id IN (SELECT value FROM json_each(?)) AND tenant_no = ?",
            (json.dumps([each for each in call_ids if each is not None]), tenant_no),
        )


Place = tuple[int, int, int]
BEGINNING: Place = (-(2**63), -(2**63), -(2**63))


def drop_marks(connection: sqlite3.Connection, tenant_no: int, after: Place) -> Place | None:
    """Drop a tenant's marks among some that follow; return where these end, None at the end."""
    end: Place | None = connection.execute(
        "SELECT us, call_no, kind FROM live_marks WHERE (us, call_no, kind) > (?, ?, ?)"
        " ORDER BY us, call_no, kind LIMIT 1 OFFSET ?",
        (*after, ROWS_AT_ONCE),
    ).fetchone()
    until = "AND (us, call_no, kind) <= (?, ?, ?)" if end else ""
    connection.execute(
        f"DELETE FROM live_marks WHERE (us, call_no, kind) > (?, ?, ?) {until} AND tenant_no = ?",
        (*after, *(end or ()), tenant_no),
    )
    return end


def drop_events(connection: sqlite3.Connection, tenant_no: int, after: int) -> int | None:
    """Drop a tenant's events, and its calls' events, among some that follow, as `drop_marks`."""
    last = after + ROWS_AT_ONCE
    dropped = connection.execute(
        "DELETE FROM live_events WHERE event_no > ?2 AND event_no <= ?3"
        f" AND {_OF_TENANT} RETURNING event_id",
        (tenant_no, after, last),
    ).fetchall()
    # Those without an id the server made itself, or they were counted when their id was freed.
    _count(connection, tenant_no, events=sum(event_id is not None for (event_id,) in dropped))
    return last if _has_more(connection, "event_no", "live_events", last) else None


def drop_calls(connection: sqlite3.Connection, tenant_no: int, after: int) -> int | None:
    """Drop a tenant's calls with their reports among some that follow, as `drop_marks`."""
    last = after + ROWS_AT_ONCE
    calls = connection.execute(
        "SELECT call_no FROM live_calls WHERE call_no > ? AND call_no <= ? AND tenant_no = ?",
        (after, last, tenant_no),
    ).fetchall()
    for table in ("live_reports", "live_calls"):
        connection.executemany(
            f"DELETE FROM {table} WHERE call_no = ?",
            calls,
        )
    _count(connection, tenant_no, calls=len(calls))
    return last if _has_more(connection, "call_no", "live_calls", last) else None


def drop_rollups(connection: sqlite3.Connection, tenant_no: int) -> bool:
    """Take some of a tenant's rollups out of those of all tenants; False if none is left."""
    connection.execute(_SUBTRACT, (tenant_no, ROLLUPS_AT_ONCE))
    dropped = connection.execute(
        "DELETE FROM live_cells WHERE tenant_no = ?1 AND (width, start) IN ("
        " SELECT width, start FROM live_cells WHERE tenant_no = ?1 ORDER BY width, start LIMIT ?2)"
        " RETURNING width, start",
        (tenant_no, ROLLUPS_AT_ONCE),
    ).fetchall()
    connection.executemany(
        "DELETE FROM live_cells WHERE tenant_no = ? AND width = ? AND start = ?"
        f" AND {' AND '.join(f'{name} = 0' for name in COLUMNS)}",
        [(ALL_TENANTS, width, start) for width, start in dropped],
    )
    return len(dropped) == ROLLUPS_AT_ONCE


def count(connection: sqlite3.Connection, tenant_id: str) -> TenantContents | None:
    """Count what a tenant has, None if it is not known."""
    row = connection.execute(
        "SELECT tenant_no FROM live_tenants WHERE tenant_id = ?", (tenant_id,)
    ).fetchone()
    if row is None:
        return None
    (events,) = connection.execute(
        f"SELECT count(event_id) FROM live_events WHERE {_OF_TENANT}",
        row,
    ).fetchone()
    (calls,) = connection.execute(
        "SELECT count(*) FROM live_calls WHERE tenant_no = ?", row
    ).fetchone()
    return TenantContents(events=events, calls=calls)


_SELECT = "SELECT deletion_no, tenant_id, tenant_no, events, calls, done_us FROM live_deletions"


def _deletion(row: Sequence[Any]) -> TenantDeletion:
    number, tenant_id, tenant_no, events, calls, done_us = row
    return TenantDeletion(
        number=number,
        tenant_id=tenant_id,
        tenant_no=tenant_no,
        contents=TenantContents(events=events, calls=calls),
        is_done=done_us is not None,
    )


def _count(
    connection: sqlite3.Connection, tenant_no: int, *, events: int = 0, calls: int = 0
) -> None:
    connection.execute(
        "UPDATE live_deletions SET events = events + ?, calls = calls + ?"
        " WHERE tenant_no = ? AND done_us IS NULL",
        (events, calls, tenant_no),
    )


def _has_more(connection: sqlite3.Connection, column: str, table: str, last: int) -> bool:
    (greatest,) = connection.execute(f"SELECT max({column}) FROM {table}").fetchone()
    return greatest is not None and greatest > last
