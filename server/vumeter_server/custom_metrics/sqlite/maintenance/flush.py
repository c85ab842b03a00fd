"""Flush: points move from the write-ahead log of batches into segments, unseen by queries.

A flush takes the batches up to some number, in one transaction: before it, queries see the points
in the head, after it in the segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.sqlite.cache.label_index import use_codes
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.batches import (
    decode_batches,
    decode_distributions_of_batches,
)
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import under_way
from vumeter_server.custom_metrics.sqlite.maintenance.segment_building import (
    FlushedRows,
    rows_of_points,
)
from vumeter_server.sqlite.library import sqlite3

# The log of an organization is flushed when it holds this many points or batches: every query reads
# all of them.
FLUSH_AT_POINTS = 65_536
FLUSH_AT_BATCHES = 2_000
# A flush takes at most this many points, so that its memory and its transaction are bounded.
FLUSH_AT_MOST = 131_072


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PreparedFlush:
    """What one flush writes; its batches are those up to number `part` of those to `through`."""

    organization_id: int
    part: int
    through: int
    rows: FlushedRows
    uses: Array
    """Label uses of these points that no flushed point before had."""


def due(
    connection: sqlite3.Connection, *, at_points: int = FLUSH_AT_POINTS
) -> dict[int, tuple[int, int]]:
    """Return the organizations whose log should be flushed, with its points and its batches.

    With `at_points` of 0 those that have one.
    """
    rows = connection.execute(
        "SELECT organization_id, sum(points), count(*) FROM metric_batches GROUP BY organization_id"
        " HAVING sum(points) > ? OR count(*) > ? ORDER BY organization_id",
        (at_points, FLUSH_AT_BATCHES),
    )
    return {organization_id: (points, batches) for organization_id, points, batches in rows}


def prepare(
    snapshot: Snapshot, through: int | None = None, *, now_us: int = 0
) -> PreparedFlush | None:
    """Read the oldest batches of the log, up to number `through`, and encode their points by day.

    None if there are no such batches.
    """
    last = snapshot.state.next_batch - 1 if through is None else through
    # What a deletion is of stays in segments of its own.
    last = min(
        [last, *(n - 1 for n in under_way(snapshot) if n - 1 > snapshot.state.sealed_through)]
    )
    part = -1
    blobs: list[bytes] = []
    taken = 0
    for number, points, columns in snapshot.connection.execute(
        "SELECT batch_number, points, columns FROM metric_batches"
        " WHERE organization_id = ? AND batch_number <= ? ORDER BY batch_number",
        (snapshot.organization_id, last),
    ):
        if blobs and taken + points > FLUSH_AT_MOST:
            break
        part = number
        taken += points
        blobs.append(columns)
    if not blobs:
        return None
    points = decode_batches(blobs)
    # Nobody sees the points of deleted metrics; they go here.
    seen = np.flatnonzero(np.isin(points["metric"], list(snapshot.metrics.names)))
    distributions = decode_distributions_of_batches(blobs)
    if distributions is not None:
        distributions = distributions.taken(seen, len(points))
    points = points[seen]
    return PreparedFlush(
        organization_id=snapshot.organization_id,
        part=part,
        through=last,
        rows=rows_of_points(snapshot, part, points, now_us, distributions),
        uses=snapshot.unflushed_uses(points),
    )


def apply(connection: sqlite3.Connection, flush: PreparedFlush) -> None:
    """Write a flush and take its points out of the log."""
    flush.rows.insert(connection)
    connection.execute(
        "DELETE FROM metric_batches WHERE organization_id = ? AND batch_number <= ?",
        (flush.organization_id, flush.part),
    )
    state = read_state(connection, flush.organization_id)
    state.sealed_through = flush.part
    connection.executemany(
        "INSERT INTO metric_uses (organization_id, use_code, metric_code, agent_code, label_code)"
        " VALUES (?, ?, ?, ?, ?)",
        [
            (flush.organization_id, code, *use)
            for code, use in enumerate(use_codes(flush.uses).tolist(), state.uses)
        ],
    )
    state.uses += len(flush.uses)
    write_state(connection, flush.organization_id, state)
