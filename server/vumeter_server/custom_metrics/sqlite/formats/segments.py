"""The rows of segments: the flushed points of a day, as columns per metric and by session.

Owns the tables `metric_columns`, `metric_days` and `session_points`. A segment is what one flush
or compaction wrote of a day; its number (`part`) is that of the last batch that it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vumeter_server.custom_metrics.sqlite.formats.columns import Array, Kind, decode
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.library import sqlite3

ColumnRow = tuple[int, int, int, int, int, int, bytes]
SessionRow = tuple[int, int, int, int, bytes]
DayRow = tuple[int, int, int, int, int, int]

_INSERT_COLUMN = (
    "INSERT INTO metric_columns (organization_id, metric_code, kind, day, part, points, column)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_SESSION = (
    "INSERT INTO session_points (organization_id, session_code, part, day, columns)"
    " VALUES (?, ?, ?, ?, ?)"
)
_INSERT_DAY = (
    "INSERT INTO metric_days (organization_id, day, part, points, summed, sealed_us)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SegmentRows:
    """Rows to insert, in the order of the columns of each table.

    Attributes:
        columns: of `metric_columns`.
        sessions: of `session_points`; none where segments are compacted, which keeps them.
        days: of `metric_days`.
    """

    columns: list[ColumnRow] = field(default_factory=list)
    sessions: list[SessionRow] = field(default_factory=list)
    days: list[DayRow] = field(default_factory=list)

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the rows."""
        connection.executemany(_INSERT_COLUMN, self.columns)
        connection.executemany(_INSERT_SESSION, self.sessions)
        connection.executemany(_INSERT_DAY, self.days)


def read_columns(
    connection: sqlite3.Connection,
    organization_id: int,
    metric_code: int,
    kind: Kind,
    days: tuple[int, int],
    *,
    after_part: int = -1,
) -> dict[tuple[int, int], Array]:
    """Return one column of a metric by (day, part), in that order.

    Args:
        connection: a read transaction.
        organization_id: whose.
        metric_code: of which metric.
        kind: which column.
        days: the first day since the epoch, and the one after the last.
        after_part: only of segments with a greater number.
    """
    rows = connection.execute(
        "SELECT day, part, column FROM metric_columns WHERE organization_id = ?"
        " AND metric_code = ? AND kind = ? AND day >= ? AND day < ? AND part > ?"
        " ORDER BY day, part",
        (organization_id, metric_code, int(kind), *days, after_part),
    )
    return {(day, part): decode(column) for day, part, column in rows}


def check_together(
    values: Mapping[tuple[int, int], Array], others: Mapping[tuple[int, int], Array]
) -> None:
    """Raise StorageDamaged unless two columns are of the same segments, and equally long in each.

    Where the index of the table is damaged, SQLite may find a row under another key, or not at all.
    """
    if values.keys() != others.keys() or [
        key for key, column in values.items() if len(column) != len(others[key])
    ]:
        raise StorageDamaged(detail="metric_columns: the columns of a segment do not fit together")


def read_columns_of_day(
    connection: sqlite3.Connection, organization_id: int, kind: Kind, day: int
) -> Iterator[Array]:
    """Yield one column of every metric on a day."""
    rows = connection.execute(
        "SELECT column FROM metric_columns WHERE organization_id = ?1 AND kind = ?2 AND day = ?3"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)",
        (organization_id, int(kind), day),
    )
    for (column,) in rows:
        yield decode(column)


def segments_of(
    connection: sqlite3.Connection, organization_id: int, first: int, end: int
) -> list[tuple[int, int]]:
    """Return day and number of the segments of days [first, end), in that order."""
    return connection.execute(
        "SELECT day, part FROM metric_days WHERE organization_id = ? AND day >= ? AND day < ?"
        " ORDER BY day, part",
        (organization_id, first, end),
    ).fetchall()


def delete_segments(
    connection: sqlite3.Connection, organization_id: int, day: int, through: int
) -> None:
    """Delete the segments of a day up to number `through`, but not their sessions.

    Naming every metric and kind lets the primary key find the rows.
    """
    where = (organization_id, day, through)
    connection.execute(
        "DELETE FROM metric_columns WHERE organization_id = ?1"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        " AND kind IN (0, 1, 2, 3) AND day = ?2 AND part <= ?3",
        where,
    )
    connection.execute(
        "DELETE FROM metric_days WHERE organization_id = ?1 AND day = ?2 AND part <= ?3", where
    )
