"""What a deletion of points leaves of a day: written again in groups of segments.

A group is as large as compaction makes a segment, so that the memory that a deletion takes is
bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_groups import groups_of_day
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    DayRow,
    SegmentRange,
    SegmentRows,
    SessionRow,
)
from vumeter_server.custom_metrics.sqlite.formats.sessions import NO_POINTS
from vumeter_server.custom_metrics.sqlite.maintenance.compaction import (
    DayOfPoints,
    join_segments,
)
from vumeter_server.custom_metrics.sqlite.maintenance.deletion import Condemned, segments_before
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import PointDeletion
from vumeter_server.custom_metrics.sqlite.maintenance.segment_building import (
    FlushedRows,
    add_segment,
    session_rows,
)
from vumeter_server.custom_metrics.sqlite.rollups.rows import RollupRows

# So much is written in one transaction, between which others record.
BYTES_AT_ONCE = 1 << 20

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RewrittenSegments:
    """What a deletion leaves of some segments of a day, which becomes one.

    Attributes:
        chunks: what is written, in one transaction each, but for the row that lists the segment.
        listed: that row; None if no point is left.
        sessions: ids of the sessions that have points in it, among those that lose some.
        lost_uses: label uses of the points that it takes.
        kept_uses: those of the points that are left.
    """

    chunks: list[FlushedRows]
    listed: DayRow | None
    sessions: Integers
    lost_uses: Integers
    kept_uses: Integers


def find_groups(snapshot: Snapshot, day: int, found: PointDeletion) -> list[SegmentRange]:
    """Return the segments of a day of which each group becomes one; a deletion has few numbers."""
    before = segments_before(found.number, snapshot.organization_id, day)
    groups = groups_of_day(snapshot.connection, before)
    alone = found.last - found.number
    if len(groups) <= alone + 1:
        return groups
    return [*groups[:alone], replace(groups[alone], last=groups[-1].last)]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ParedSegments:
    """Points of some segments of a day: those that a deletion takes, and those that it leaves.

    Attributes:
        segments: which.
        lost: what it takes.
        kept: what it leaves.
        sessions: ids of the sessions that lose points.
    """

    segments: SegmentRange
    lost: DayOfPoints
    kept: DayOfPoints
    sessions: Integers


def pare(snapshot: Snapshot, segments: SegmentRange, condemned: Condemned) -> ParedSegments:
    """Read segments, and part the points that go from those that stay."""
    points = join_segments(snapshot, segments)
    mask = condemned.mask(segments.day, points)
    lost, kept = points.taken(np.flatnonzero(mask)), points.taken(np.flatnonzero(~mask))
    # Sessions are written plus 1, so that none is 0.
    sessions = np.unique(lost.columns[Kind.SESSION].astype(np.int64))
    return ParedSegments(
        segments=segments, lost=lost, kept=kept, sessions=sessions[sessions > 0] - 1
    )


def rewrite(
    snapshot: Snapshot, pared: ParedSegments, part: int, sessions: Integers
) -> RewrittenSegments:
    """Make the rows of what is left of segments, as the segment of number `part`.

    `sessions` are those that lose points of the day, whichever segments these are in.
    """
    segments, kept = pared.segments, pared.kept
    (flushed_us,) = snapshot.connection.execute(
        "SELECT max(sealed_us) FROM metric_days"
        " WHERE organization_id = ? AND day = ? AND part BETWEEN ? AND ?",
        (snapshot.organization_id, segments.day, segments.first, segments.last),
    ).fetchone()
    rows = FlushedRows()
    if len(kept.metrics):
        add_segment(
            rows,
            snapshot,
            segments.day,
            part,
            metrics=kept.metrics,
            columns=kept.columns,
            flushed_us=flushed_us,
            distributions=kept.distributions,
        )
    listed = rows.segments.days.pop() if rows.segments.days else None
    rows.segments.sessions.extend(_session_rows(snapshot, segments.day, part, kept, sessions))
    return RewrittenSegments(
        chunks=list(_in_chunks(rows)),
        listed=listed,
        sessions=np.array([code for _, code, *_ in rows.segments.sessions], np.int64),
        lost_uses=_uses_of(snapshot, pared.lost),
        kept_uses=_uses_of(snapshot, kept),
    )


def _session_rows(
    snapshot: Snapshot, day: int, part: int, kept: DayOfPoints, sessions: Integers
) -> list[SessionRow]:
    """Return a row for each of some sessions that has points left in segments."""
    of_session = kept.columns[Kind.SESSION].astype(np.int64) - 1
    chosen = np.flatnonzero(np.isin(of_session, sessions))
    points = np.empty(len(chosen), POINT)
    points["metric"] = kept.metrics[chosen]
    points["series"] = kept.columns[Kind.SERIES][chosen]
    points["session"] = of_session[chosen]
    points["time_us"] = kept.columns[Kind.TIME][chosen].astype(np.int64) + day * DAY_US
    points["value"] = kept.columns[Kind.VALUE][chosen]
    distributions = kept.taken(chosen).distributions
    days = np.full(len(points), day)
    return session_rows(snapshot.organization_id, part, points, days, distributions)


def without_points(found: PointDeletion, day: int, sessions: Integers) -> list[FlushedRows]:
    """Make a row for each of some sessions that nothing of a day is left of, in chunks."""
    rows = FlushedRows()
    rows.segments.sessions.extend(
        (found.organization_id, code, found.number, day, NO_POINTS) for code in sessions.tolist()
    )
    return list(_in_chunks(rows))


def _uses_of(snapshot: Snapshot, points: DayOfPoints) -> Integers:
    columns = {"metric": points.metrics, "series": points.columns[Kind.SERIES]}
    return snapshot.labels.uses_of(columns)


def _in_chunks(rows: FlushedRows) -> Iterator[FlushedRows]:
    """Divide rows into some that are written in one transaction each."""
    chunk, size = FlushedRows(), 0
    for of in ("segments", "rollups"):
        tables: SegmentRows | RollupRows = getattr(rows, of)
        for table in fields(tables):
            for row in getattr(tables, table.name):
                getattr(getattr(chunk, of), table.name).append(row)
                size += 100 + sum(len(value) for value in row if isinstance(value, bytes))
                if size >= BYTES_AT_ONCE:
                    yield chunk
                    chunk, size = FlushedRows(), 0
    if size:
        yield chunk
