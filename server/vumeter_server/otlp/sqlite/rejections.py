"""What was rejected of exporters: the tables `export_counts` and `rejected_points`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from vumeter_server.custom_metrics.exported import Reason, RejectedPoint
from vumeter_server.otlp.store import LATEST_REJECTIONS, ExportCount, LatestRejection, Rejections
from vumeter_server.sqlite.library import sqlite3

# So many counts are kept per organization by metric; those of other metrics are put together.
MAX_COUNTS = 1_000


def read_rejections(connection: sqlite3.Connection, organization_id: int) -> Rejections:
    """Return what was rejected and noted, the last rejections newest first."""
    counts = connection.execute(
        "SELECT reason, key_id, metric_name, points, last_us FROM export_counts"
        " WHERE organization_id = ?",
        (organization_id,),
    ).fetchall()
    latest = connection.execute(
        "SELECT rejected_us, key_id, metric_name, reason, problem FROM rejected_points"
        " WHERE organization_id = ? ORDER BY rejection_number DESC LIMIT ?",
        (organization_id, LATEST_REJECTIONS),
    ).fetchall()
    return Rejections(
        counts=[
            ExportCount(
                what=what, key_id=key_id, metric_name=metric_name, points=points, last_us=last_us
            )
            for what, key_id, metric_name, points, last_us in counts
        ],
        latest=[
            LatestRejection(
                rejected_us=rejected_us,
                key_id=key_id,
                point=RejectedPoint(
                    metric_name=metric_name, reason=Reason(reason), problem=problem
                ),
            )
            for rejected_us, key_id, metric_name, reason, problem in latest
        ],
    )


def count_export(
    connection: sqlite3.Connection,
    organization_id: int,
    key_id: str,
    rejected: Sequence[RejectedPoint],
    notes: Mapping[str, int],
    now_us: int,
) -> None:
    """Count what was rejected and noted, and keep the last rejections."""
    counts = Counter((each.reason.value, each.metric_name) for each in rejected)
    counts.update({(note, ""): count for note, count in notes.items() if count})
    for (what, metric_name), points in counts.items():
        _count(connection, (organization_id, what, key_id, metric_name), points, now_us)
    if not rejected:
        return
    connection.executemany(
        "INSERT INTO rejected_points"
        " (organization_id, rejected_us, key_id, metric_name, reason, problem)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (organization_id, now_us, key_id, each.metric_name, each.reason.value, each.problem)
            for each in rejected[-LATEST_REJECTIONS:]
        ],
    )
    connection.execute(
        "DELETE FROM rejected_points WHERE organization_id = ?1 AND rejection_number <= ("
        " SELECT rejection_number FROM rejected_points WHERE organization_id = ?1"
        " ORDER BY rejection_number DESC LIMIT 1 OFFSET ?2)",
        (organization_id, LATEST_REJECTIONS),
    )


def _count(
    connection: sqlite3.Connection, row: tuple[int, str, str, str], points: int, now_us: int
) -> None:
    added = connection.execute(
        "UPDATE export_counts SET points = points + ?, last_us = ?"
        " WHERE organization_id = ? AND reason = ? AND key_id = ? AND metric_name = ?",
        (points, now_us, *row),
    ).rowcount
    if added:
        return
    (kept,) = connection.execute(
        "SELECT count(*) FROM export_counts WHERE organization_id = ?", row[:1]
    ).fetchone()
    metric_name = row[3] if kept < MAX_COUNTS else ""
    connection.execute(
        "INSERT INTO export_counts"
        " (organization_id, reason, key_id, metric_name, points, last_us)"
        " VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET points = points + excluded.points, last_us = excluded.last_us",
        (*row[:3], metric_name, points, now_us),
    )
