"""The rows of rollups per day: sums by interval, and sums by label.

Owns the tables `metric_cells` and `label_sums`; `compacted` owns those of compacted rollups.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vumeter_server.custom_metrics.sqlite.formats.segments import SegmentRange
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


def delete_rollups(connection: sqlite3.Connection, segments: SegmentRange) -> None:
    """Delete the rollups of segments.

    Naming every metric and key lets the primary keys find the rows. The keys are found one after
    the other, since there may be a million labels.
    """
    delete_interval_sums(connection, segments)
    key: str | None = ""
    while key is not None and (key := next_key(connection, segments.organization_id, key)):
        delete_label_sums(connection, segments, key)


def delete_interval_sums(connection: sqlite3.Connection, segments: SegmentRange) -> None:
    """Delete the sums by interval of segments."""
    connection.execute(
        "DELETE FROM metric_cells WHERE organization_id = ?1"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        " AND day = ?2 AND part BETWEEN ?3 AND ?4",
        (segments.organization_id, segments.day, segments.first, segments.last),
    )


def delete_label_sums(connection: sqlite3.Connection, segments: SegmentRange, key: str) -> None:
    """Delete the sums of segments by the values of one label."""
    connection.execute(
        "DELETE FROM label_sums WHERE organization_id = ? AND key = ? AND day = ?"
        " AND part BETWEEN ? AND ?",
        (segments.organization_id, key, segments.day, segments.first, segments.last),
    )


def next_key(connection: sqlite3.Connection, organization_id: int, after: str) -> str | None:
    """Return the next label key by which there are sums, in order; None if there is none."""
    (key,) = connection.execute(
        "SELECT min(key) FROM label_sums WHERE organization_id = ? AND key > ?",
        (organization_id, after),
    ).fetchone()
    return None if key is None else str(key)
