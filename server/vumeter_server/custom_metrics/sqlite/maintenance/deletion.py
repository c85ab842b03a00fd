"""Deletion of points: the days concerned are written again without them, in steps nobody sees.

Of a deletion with number `n` all points of batches below `n` are in segments. What is left of each
day concerned becomes segments with numbers from `n` on, which are none until they are listed.
Listing those of all days, in the place of the segments before, is one short transaction: see
docs/decisions/0005-deletion.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.questions import DeleteQuery, Selection
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Kind
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    DayRow,
    SegmentRange,
    SegmentRows,
    delete_days,
)
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state, write_state
from vumeter_server.custom_metrics.sqlite.maintenance import deletion_rows
from vumeter_server.custom_metrics.sqlite.maintenance.compaction import (
    DayOfPoints,
)
from vumeter_server.custom_metrics.sqlite.query.matching import PointFilter
from vumeter_server.custom_metrics.sqlite.query.scan import Scan, Wanted
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.sqlite.library import sqlite3

# So many rows are changed in one transaction, each by its key.
ROWS_AT_ONCE = 2_000
# Each of these has rows in several tables.
SESSIONS_AT_ONCE = 200
# Of more sessions every day is read, rather than the days of each looked up.
FEW_SESSIONS = 100

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Condemned:
    """Which points are to be deleted, by interned ids, and on which days there may be some.

    Attributes:
        metrics: interned ids of their metrics.
        matching: what their labels and sessions have to be.
        count: how many there are, those of the head among them.
        days: the days since the epoch, in order, on which some of them are flushed.
    """

    start_us: int
    end_us: int
    metrics: Collection[int]
    matching: PointFilter
    count: int
    days: list[int]

    def mask(self, day: int, points: DayOfPoints) -> npt.NDArray[np.bool_]:
        """Return which points of a day are to be deleted."""
        mask = np.isin(points.metrics, list(self.metrics))
        sessions = points.columns[Kind.SESSION].astype(np.int64) - 1
        matches = self.matching.mask(points.columns[Kind.SERIES], sessions)
        if matches is not None:
            mask &= matches
        start_us, end_us = self.start_us - day * DAY_US, self.end_us - day * DAY_US
        if start_us > 0 or end_us < DAY_US:
            times_us = points.columns[Kind.TIME].astype(np.int64)
            mask &= (times_us >= start_us) & (times_us < end_us)
        return mask


def find(snapshot: Snapshot, query: DeleteQuery) -> Condemned:
    """Count the points that a query is about, and find out on which days they are."""
    known = snapshot.metrics
    names = known.codes if query.metric_names is None else query.metric_names
    metrics = sorted({known.codes[name] for name in names if name in known.codes})
    matching = PointFilter(snapshot, query.filters)
    count = 0
    days: set[int] = set()
    selection = Selection(start_us=query.start_us, end_us=query.end_us)
    scan = Scan(snapshot, selection, metrics, Wanted(times=True), matching)
    for start_us, end_us in _ranges_us(snapshot, matching, query):
        for points in scan.days(start_us, end_us):
            count += len(points.values)
            assert points.times_us is not None
            # Points of several days come together.
            days.update(np.unique(points.times_us // DAY_US).tolist())
    count += sum(len(points.values) for points in scan.head())
    return Condemned(
        start_us=query.start_us,
        end_us=query.end_us,
        metrics=metrics,
        matching=matching,
        count=count,
        days=sorted(days),
    )


def _ranges_us(
    snapshot: Snapshot, matching: PointFilter, query: DeleteQuery
) -> list[tuple[int, int]]:
    """Return ranges in which all flushed points of a query are: of few sessions, their days."""
    whole = [(query.start_us, query.end_us)]
    sessions = matching.session_mask
    # The first is for points without a session.
    if sessions is None or sessions[0]:
        return whole
    codes = np.flatnonzero(sessions[1:])
    if len(codes) > FEW_SESSIONS:
        return whole
    days: set[int] = set()
    for code in codes.tolist():
        rows = snapshot.connection.execute(
            "SELECT day FROM session_points WHERE organization_id = ? AND session_code = ?",
            (snapshot.organization_id, code),
        )
        days.update(day for (day,) in rows)
    return [
        (max(query.start_us, day * DAY_US), min(query.end_us, (day + 1) * DAY_US))
        for day in sorted(days)
    ]


def segments_before(number: int, organization_id: int, day: int) -> SegmentRange:
    """Return the segments of a day that the deletion of that number takes points from."""
    return SegmentRange(organization_id=organization_id, day=day, first=0, last=number - 1)


def apply(
    connection: sqlite3.Connection,
    organization_id: int,
    number: int,
    days: Sequence[tuple[int, list[DayRow]]],
    deleted: int,
) -> None:
    """List the segments that were written again in the place of those before: at once, for all."""
    for day, listed in days:
        delete_days(connection, segments_before(number, organization_id, day))
        compacted.unlist_day(connection, organization_id, day)
        SegmentRows(days=listed).insert(connection)
    state = read_state(connection, organization_id)
    # The caches of readers hold the points; they are read again.
    state.layout += 1
    state.deleted_through = number
    write_state(connection, organization_id, state)
    deletion_rows.set_applied(connection, organization_id, number, deleted)
