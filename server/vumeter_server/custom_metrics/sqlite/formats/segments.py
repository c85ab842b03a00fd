"""The rows of segments: the flushed points of a day, as columns per metric and by session.

Owns the tables `metric_columns`, `metric_days` and `session_points`; `session_rows` reads the last.
A segment is what one flush or compaction wrote of a day; its number (`part`) is that of the last
batch that it holds.

There are the segments that `metric_days` lists. Columns and rollups of others are those that a
deletion of points is preparing, or that it or retention has not cleaned up yet: nobody reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    DISTRIBUTION_KIND,
    Array,
    Kind,
    decode,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import decode_distributions
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.library import sqlite3

ColumnRow = tuple[int, int, int, int, int, int, bytes]
SessionRow = tuple[int, int, int, int, bytes]
DayRow = tuple[int, int, int, int, int, int]
ColumnKey = tuple[int, int, int]
"""A metric, a kind of column, and a number of a segment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentRange:
    """The segments of a day from number `first` to `last`, both included."""

    organization_id: int
    day: int
    first: int
    last: int


EVERY_PART = 2**62
"""More than the number of any segment."""

_KINDS = ", ".join(str(int(kind)) for kind in (*Kind, DISTRIBUTION_KIND))
_INSERT_COLUMN = (
    "INSERT INTO metric_columns (organization_id, metric_code, kind, day, part, points, column)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SELECT_COLUMNS = (
    "SELECT c.day, c.part, c.column FROM metric_columns c CROSS JOIN metric_days d"
    " ON d.organization_id = c.organization_id AND d.day = c.day AND d.part = c.part"
    " WHERE c.organization_id = ? AND c.metric_code = ? AND c.kind = ?"
    " AND c.day >= ? AND c.day < ? AND c.part > ? AND c.part < ? ORDER BY c.day, c.part"
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
    before_part: int = EVERY_PART,
) -> dict[tuple[int, int], Array]:
    """Return one column of a metric by (day, part), in that order.

    Args:
        connection: a read transaction.
        organization_id: whose.
        metric_code: of which metric.
        kind: which column.
        days: the first day since the epoch, and the one after the last.
        after_part: only of segments with a greater number.
        before_part: only of segments with a smaller number.
    """
    rows = connection.execute(
        _SELECT_COLUMNS,
        (organization_id, metric_code, int(kind), *days, after_part, before_part),
    )
    return {(day, part): decode(column) for day, part, column in rows}


def read_blobs(
    connection: sqlite3.Connection,
    organization_id: int,
    metric_code: int,
    kind: int,
    days: tuple[int, int],
) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield one column of a metric as it lies there: day, part, points and blob, in that order.

    `kind` is a Kind or DISTRIBUTION_KIND; `days` are as in `read_columns`.
    """
    return connection.execute(
        _SELECT_COLUMNS.replace("c.column", "c.points, c.column"),
        (organization_id, metric_code, kind, *days, -1, EVERY_PART),
    )


def read_distributions(
    connection: sqlite3.Connection,
    organization_id: int,
    metric_code: int,
    days: tuple[int, int],
    *,
    after_part: int = -1,
    before_part: int = EVERY_PART,
) -> dict[tuple[int, int], Distributions]:
    """Return the distributions of a metric by (day, part), of the segments that have some."""
    rows = connection.execute(
        _SELECT_COLUMNS,
        (organization_id, metric_code, DISTRIBUTION_KIND, *days, after_part, before_part),
    )
    return {(day, part): decode_distributions(column) for day, part, column in rows}


def check_together(
    values: Mapping[tuple[int, int], Array], others: Mapping[tuple[int, int], Array]
) -> None:
    """Raise StorageDamaged unless two columns are of the same segments, and equally long in each.

    Where the index of the table is damaged, SQLite may find a row under another key, or not at all.
    """
    if values.keys() != others.keys() or [
        key for key, column in values.items() if len(column) != len(others[key])
    ]:
        raise columns_do_not_fit()


def columns_do_not_fit() -> StorageDamaged:
    """Return the error for columns of one segment that do not fit together."""
    return StorageDamaged(detail="metric_columns: the columns of a segment do not fit together")


def segments_of(
    connection: sqlite3.Connection, organization_id: int, first: int, end: int
) -> list[tuple[int, int]]:
    """Return day and number of the segments of days [first, end), in that order."""
    return connection.execute(
        "SELECT day, part FROM metric_days WHERE organization_id = ? AND day >= ? AND day < ?"
        " ORDER BY day, part",
        (organization_id, first, end),
    ).fetchall()


def delete_segments(connection: sqlite3.Connection, segments: SegmentRange) -> None:
    """Delete segments, but not what sessions have of them."""
    for key in column_keys(connection, segments):
        delete_column(connection, segments, key)
    delete_days(connection, segments)


def delete_days(connection: sqlite3.Connection, segments: SegmentRange) -> None:
    """Take segments out of the list of those there are."""
    connection.execute(
        "DELETE FROM metric_days WHERE organization_id = ? AND day = ? AND part BETWEEN ? AND ?",
        (segments.organization_id, segments.day, segments.first, segments.last),
    )


def column_keys(connection: sqlite3.Connection, segments: SegmentRange) -> list[ColumnKey]:
    """Return the metric, kind and segment of each column of segments, listed or not.

    Naming every metric and kind lets the primary key find the rows.
    """
    return connection.execute(
        "SELECT metric_code, kind, part FROM metric_columns WHERE organization_id = ?1"  # noqa: S608 - numbers of ours
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        f" AND kind IN ({_KINDS}) AND day = ?2 AND part BETWEEN ?3 AND ?4",
        (segments.organization_id, segments.day, segments.first, segments.last),
    ).fetchall()


def delete_column(
    connection: sqlite3.Connection, segments: SegmentRange, column: ColumnKey
) -> None:
    """Delete one column of segments of a day."""
    metric, kind, part = column
    connection.execute(
        "DELETE FROM metric_columns WHERE organization_id = ? AND metric_code = ? AND kind = ?"
        " AND day = ? AND part = ?",
        (segments.organization_id, metric, kind, segments.day, part),
    )


def read_sessions(connection: sqlite3.Connection, segments: SegmentRange) -> Iterator[Array]:
    """Yield the column of sessions of every metric and segment, listed or not."""
    for metric, kind, part in column_keys(connection, segments):
        if kind == Kind.SESSION:
            (column,) = connection.execute(
                "SELECT column FROM metric_columns WHERE organization_id = ? AND metric_code = ?"
                " AND kind = ? AND day = ? AND part = ?",
                (segments.organization_id, metric, kind, segments.day, part),
            ).fetchone()
            yield decode(column)
