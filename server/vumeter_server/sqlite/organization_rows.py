"""The number of an organization, and its rows once it is deleted: none are added, all are erased.

Whatever belongs to an organization has its number in a column `organization_id`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from vumeter_server.errors import Unauthenticated
from vumeter_server.sqlite.library import sqlite3

# Others write between transactions that take about so long.
SECONDS_AT_ONCE = 0.02
_ROWS_AT_ONCE = 50
# Numbers of organizations and of their batches are never given again.
_STAY = ("organizations", "metric_states")


def organization_id_of(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the number of an organization, None if there is none of that name."""
    row = connection.execute(
        "SELECT organization_id FROM organizations WHERE name = ?", (name,)
    ).fetchone()
    return None if row is None else int(row[0])


def check_not_deleted(connection: sqlite3.Connection, organization_id: int) -> None:
    """Raise Unauthenticated, as for its keys from now on, if an organization is deleted."""
    if connection.execute(
        "SELECT 1 FROM organizations WHERE organization_id = ? AND deleted_us IS NOT NULL",
        (organization_id,),
    ).fetchone():
        raise Unauthenticated


def find_leftovers(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield in which tables erased organizations have rows, for `vumeter db check`."""
    tables = connection.execute(
        "SELECT m.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND c.name = 'organization_id' ORDER BY m.name"
    ).fetchall()
    for (table,) in tables:
        if table in _STAY:
            continue
        (count,) = connection.execute(
            f"SELECT count(*) FROM {table} JOIN organizations USING (organization_id)"  # noqa: S608
            " WHERE erased_us IS NOT NULL"
        ).fetchone()
        if count:
            yield f"{table}: {count:,} rows are of an organization that was deleted"


def erase_some(
    connection: sqlite3.Connection,
    table: str,
    organization_id: int,
    *,
    metric_code: int | None = None,
) -> bool:
    """Erase some rows that an organization has in a table; False if none is left.

    With `metric_code`, only those of one metric.
    """
    by_place = connection.execute(
        "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (table,)
    ).fetchall()
    key = ", ".join(name for (name,) in by_place)
    of_metric = "" if metric_code is None else " AND metric_code = ?"
    # Names of the schema, nothing from outside.
    erase = (
        f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608
        f" (SELECT {key} FROM {table} WHERE organization_id = ?{of_metric} LIMIT ?)"
    )
    whose = (organization_id,) if metric_code is None else (organization_id, metric_code)
    # A row may be as large as a segment: how many are quickly erased is found out.
    rows = 1
    end = time.monotonic() + SECONDS_AT_ONCE
    while connection.execute(erase, (*whose, rows)).rowcount == rows:
        if time.monotonic() > end:
            return True
        rows = min(2 * rows, _ROWS_AT_ONCE)
    return False
