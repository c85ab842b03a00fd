"""The rows of segments: the flushed points of a day, as columns per metric and by session.

Owns the tables `metric_columns`, `metric_days` and `session_points`. A segment is what one flush
or compaction wrote of a day; its number (`part`) is that of the last batch that it holds.

There are the segments that `metric_days` lists. Columns and rollups of others are those that a
deletion of points is preparing or has not cleaned up yet: nobody reads them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

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


def read_columns_of_day(
    connection: sqlite3.Connection, organization_id: int, kind: Kind, day: int
) -> Iterator[Array]:
    """Yield one column of every metric on a day."""
    rows = connection.execute(
        "SELECT column FROM metric_columns WHERE organization_id = ?1 AND kind = ?2 AND day = ?3"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        " AND part IN (SELECT part FROM metric_days WHERE organization_id = ?1 AND day = ?3)",
        (organization_id, int(kind), day),
    )
    for (column,) in rows:
        yield decode(column)


def read_session_rows(
    connection: sqlite3.Connection, organization_id: int, session_code: int, most_bytes: int
) -> list[bytes] | None:
    """Return what there is of the flushed points of a session, in the order of recording.

    None if they take more than `most_bytes`. Of so much, most is not read.
    """
    # SQLite reads a blob as a whole, but its length without it.
    rows = connection.execute(
        "SELECT part, day, CASE WHEN length(columns) <= ? THEN columns END FROM session_points"
        " WHERE organization_id = ? AND session_code = ? ORDER BY part, day",
        (most_bytes, organization_id, session_code),
    )
    found = []
    for row in rows:
        most_bytes -= most_bytes + 1 if row[2] is None else len(row[2])
        if most_bytes < 0:
            return None
        found.append(row)
    return [columns for _, columns in _shown(found, _deletions(connection, organization_id))]


def read_all_session_rows(
    connection: sqlite3.Connection, organization_id: int
) -> Iterator[tuple[int, int, bytes]]:
    """Yield session, day and points of all that there is of flushed points by session."""
    deletions = _deletions(connection, organization_id)
    rows = connection.execute(
        "SELECT session_code, part, day, columns FROM session_points WHERE organization_id = ?"
        " ORDER BY session_code, part, day",
        (organization_id,),
    )
    for session, of_session in itertools.groupby(rows, key=itemgetter(0)):
        for day, columns in _shown([row[1:] for row in of_session], deletions):
            yield session, day, columns


def _deletions(connection: sqlite3.Connection, organization_id: int) -> dict[int, bool]:
    """Return the numbers of deletions that are under way, and whether they are applied."""
    rows = connection.execute(
        "SELECT batch_number, deleted IS NOT NULL FROM point_deletions"
        " WHERE organization_id = ? AND is_done = 0",
        (organization_id,),
    )
    return dict(rows.fetchall())


def _shown(
    rows: Sequence[tuple[int, int, bytes]], deletions: Mapping[int, bool]
) -> Iterator[tuple[int, bytes]]:
    """Yield day and points of the rows of a session that there are.

    A row with the number of a deletion holds what that leaves of a session's day: it is none until
    the deletion is applied, and then those before it are none.
    """
    latest: dict[int, int] = {}
    for part, day, _ in rows if deletions else ():
        if deletions.get(part):
            latest[day] = max(part, latest.get(day, -1))
    for part, day, columns in rows:
        if deletions.get(part, True) and part >= latest.get(day, -1):
            yield day, columns


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
    connection: sqlite3.Connection, organization_id: int, day: int, first: int, last: int
) -> None:
    """Delete the segments of a day from number `first` to `last`, but not their sessions."""
    delete_columns(connection, organization_id, day, first, last)
    delete_days(connection, organization_id, day, first, last)


def delete_days(
    connection: sqlite3.Connection, organization_id: int, day: int, first: int, last: int
) -> None:
    """Take segments of a day out of the list of those there are: numbers `first` to `last`."""
    connection.execute(
        "DELETE FROM metric_days WHERE organization_id = ? AND day = ? AND part BETWEEN ? AND ?",
        (organization_id, day, first, last),
    )


def delete_columns(
    connection: sqlite3.Connection, organization_id: int, day: int, first: int, last: int
) -> None:
    """Delete the columns of the segments of a day from number `first` to `last`.

    Naming every metric and kind lets the primary key find the rows.
    """
    connection.execute(
        "DELETE FROM metric_columns WHERE organization_id = ?1"  # noqa: S608 - numbers of ours
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        f" AND kind IN ({_KINDS}) AND day = ?2 AND part BETWEEN ?3 AND ?4",
        (organization_id, day, first, last),
    )
