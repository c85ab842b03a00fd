"""The rows of rollups per day: sums by interval, and sums by label.

Owns the tables `metric_cells` and `label_sums`; `compacted` owns those of compacted rollups.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vumeter_server.sqlite.library import sqlite3

IntervalRow = tuple[int, int, int, int, bytes]
LabelRow = tuple[int, str, int, int, bytes]

_INSERT_INTERVALS = (
    "INSERT INTO metric_cells (organization_id, metric_code, day, part, sums)"
    " VALUES (?, ?, ?, ?, ?)"
)
_INSERT_LABELS = (
    "INSERT INTO label_sums (organization_id, key, day, part, sums) VALUES (?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RollupRows:
    """Rows to insert, in the order of the columns of each table."""

    intervals: list[IntervalRow] = field(default_factory=list)
    labels: list[LabelRow] = field(default_factory=list)

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the rows."""
        connection.executemany(_INSERT_INTERVALS, self.intervals)
        connection.executemany(_INSERT_LABELS, self.labels)


def delete_rollups(
    connection: sqlite3.Connection, organization_id: int, day: int, through: int, *, first: int = 0
) -> None:
    """Delete the rollups of the segments of a day from number `first` up to number `through`.

    Naming every metric and key lets the primary keys find the rows. The keys are found one after
    the other, since there may be a million labels.
    """
    where = (organization_id, day, first, through)
    connection.execute(
        "DELETE FROM metric_cells WHERE organization_id = ?1"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        " AND day = ?2 AND part BETWEEN ?3 AND ?4",
        where,
    )
    connection.execute(
        "WITH RECURSIVE keys (key) AS ("
        " SELECT min(key) FROM label_sums WHERE organization_id = ?1 UNION ALL"
        " SELECT (SELECT min(key) FROM label_sums WHERE organization_id = ?1 AND key > keys.key)"
        " FROM keys WHERE key IS NOT NULL)"
        " DELETE FROM label_sums WHERE organization_id = ?1 AND key IN keys"
        " AND day = ?2 AND part BETWEEN ?3 AND ?4",
        where,
    )
