"""Compaction: segments of a day become one, and neighbouring days get a common rollup."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.distributions import joined as join_distributions
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats import segment_groups
from vumeter_server.custom_metrics.sqlite.formats.columns import Array, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_groups import Segment, SegmentSpan
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    SegmentRange,
    check_together,
    read_columns,
    read_distributions,
)
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import under_way
from vumeter_server.custom_metrics.sqlite.maintenance.segment_building import (
    FlushedRows,
    add_segment,
    delete_segments_with_rollups,
    of_distributions,
)
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.sqlite.rollups.building import merge_by_label_set, sum_by
from vumeter_server.custom_metrics.sqlite.rollups.compacted import CompactedRollup, NewRollup
from vumeter_server.sqlite.library import sqlite3

# So many segments become one.
COMPACT_AT_SEGMENTS = 8
_NEVER: Final = 2**62


def due(connection: sqlite3.Connection, *, segments: int | None) -> list[SegmentRange]:
    """Return what should become one segment each: so many of a day, or those with older rollups.

    Those are of an earlier version, and without minima and maxima. With `segments` of None it is
    only those that were written before there were rollups.
    """
    lacks_rollups = "summed = 0" if segments is None else "summed = 0 OR has_extremes = 0"
    rows = connection.execute(
        f"SELECT organization_id, day, part, points, NOT ({lacks_rollups}) FROM metric_days"  # noqa: S608 - of two texts
        " WHERE (organization_id, day) IN (SELECT organization_id, day FROM metric_days"
        " GROUP BY organization_id, day HAVING count(*) >= ?1 OR count(*) >= 2 AND sum(points) > ?2"
        f" OR max({lacks_rollups})) ORDER BY organization_id, day, part",
        (_NEVER, _NEVER) if segments is None else (segments, segment_groups.MAX_POINTS),
    )
    found = []
    for (organization_id, day), of_day in itertools.groupby(rows, key=itemgetter(0, 1)):
        of_segments = [
            Segment(part=part, points=points, has_rollups=bool(has_rollups))
            for _, _, part, points, has_rollups in of_day
        ]
        groups = list(segment_groups.in_groups(of_segments))
        for group in groups:
            # Nothing is added any more to a group that another one follows.
            at_segments = segments if group is groups[-1] else segments and 2
            is_long = at_segments is not None and len(group) >= at_segments
            if is_long or not all(each.has_rollups for each in group):
                found.append(segment_groups.range_of(group, organization_id, day))
    return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CompactedSegments:
    """What compacting segments writes: one, with the number of the last, in the place of all."""

    segments: SegmentRange
    rows: FlushedRows


def prepare(snapshot: Snapshot, segments: SegmentRange) -> CompactedSegments | None:
    """Read segments and join them, without the points of deleted metrics.

    None if they are no longer there, and while a deletion is under way, which finds points by the
    numbers of their segments.
    """
    if under_way(snapshot):
        return None
    day, first, last = segments.day, segments.first, segments.last
    newest, summed, flushed_us = snapshot.connection.execute(
        "SELECT max(part), max(summed), max(sealed_us) FROM metric_days"
        " WHERE organization_id = ? AND day = ? AND part BETWEEN ? AND ?",
        (snapshot.organization_id, day, first, last),
    ).fetchone()
    if newest != last:
        return None
    points = join_segments(snapshot, segments)
    rows = FlushedRows()
    if len(points.metrics):
        add_segment(
            rows,
            snapshot,
            day,
            last,
            metrics=points.metrics,
            columns=points.columns,
            flushed_us=flushed_us,
            summed=summed + 1,
            distributions=points.distributions,
        )
    return CompactedSegments(segments=segments, rows=rows)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DayOfPoints:
    """The points of a day, ordered by metric, then time, then as they were recorded.

    Attributes:
        metrics: interned ids of metrics, [points].
        columns: every column, [points].
        distributions: those of the points that are distributions; None if none is.
    """

    metrics: Array
    columns: dict[Kind, Array]
    distributions: Distributions | None = None

    def taken(self, chosen: Array) -> DayOfPoints:
        """Return some of the points."""
        return DayOfPoints(
            metrics=self.metrics[chosen],
            columns={kind: column[chosen] for kind, column in self.columns.items()},
            distributions=self.distributions
            and self.distributions.taken(chosen, len(self.metrics)),
        )


def join_segments(snapshot: Snapshot, segments: SegmentRange) -> DayOfPoints:
    """Read segments of a day, without the points of deleted metrics."""
    metrics: list[Array] = [np.empty(0, np.int64)]
    columns: dict[Kind, list[Array]] = {kind: [] for kind in Kind}
    distributions: list[tuple[Distributions | None, int]] = []
    for metric in sorted(snapshot.metrics.names):
        joined, of_metric = _joined(snapshot, metric, segments)
        order = np.argsort(joined[Kind.TIME], kind="stable")
        metrics.append(np.full(len(order), metric))
        distributions.append((of_metric and of_metric.taken(order, len(order)), len(order)))
        for kind, column in joined.items():
            columns[kind].append(column[order])
    none = [np.empty(0, np.int64)]
    return DayOfPoints(
        metrics=np.concatenate(metrics),
        columns={kind: np.concatenate(parts or none) for kind, parts in columns.items()},
        distributions=join_distributions(distributions),
    )


def _joined(
    snapshot: Snapshot, metric: int, segments: SegmentRange
) -> tuple[dict[Kind, Array], Distributions | None]:
    """Return every column of a metric; raises StorageDamaged if a part of one is missing."""
    days = segments.day, segments.day + 1
    numbers = {"after_part": segments.first - 1, "before_part": segments.last + 1}
    found = {
        kind: read_columns(
            snapshot.connection, snapshot.organization_id, metric, kind, days, **numbers
        )
        for kind in Kind
    }
    for column in found.values():
        check_together(found[Kind.VALUE], column)
    distributions = _read_distributions(snapshot, metric, days, **numbers)
    columns = {
        kind: np.concatenate(list(of_kind.values())) if of_kind else np.empty(0, np.int64)
        for kind, of_kind in found.items()
    }
    parts = [(distributions.get(key), len(each)) for key, each in found[Kind.VALUE].items()]
    return columns, join_distributions(parts)


def apply(connection: sqlite3.Connection, compacted_segments: CompactedSegments) -> None:
    """Put the one segment in the place of those that it was made of."""
    delete_segments_with_rollups(connection, compacted_segments.segments)
    compacted_segments.rows.insert(connection)


def prepare_rollup(snapshot: Snapshot, level: int, block: int) -> NewRollup | None:
    """Sum days by label set, from smaller rollups where there are some; None without points."""
    connection, organization_id = snapshot.connection, snapshot.organization_id
    first, end = block * level, (block + 1) * level
    (through,) = connection.execute(
        "SELECT max(part) FROM metric_days WHERE organization_id = ? AND day >= ? AND day < ?",
        (organization_id, first, end),
    ).fetchone()
    if through is None:
        return None
    cover = compacted.cover(connection, organization_id, first, end)
    smaller = [each for each in cover.rollups if each.level < level]
    pieces = cover.pieces if len(smaller) == len(cover.rollups) else [(first, end, -1)]
    spans = [
        span
        for piece in pieces
        for span in segment_groups.spans_of_days(connection, organization_id, *piece)
    ]
    sums = []
    for metric in sorted(snapshot.metrics.names):
        read = (compacted.read(connection, organization_id, each, metric) for each in smaller)
        parts = [part for part in read if part is not None]
        for span in spans:
            parts += [
                sum_by(label_sets, values, **of_distributions(values, distributions))
                for label_sets, values, distributions in _read_span(snapshot, metric, span)
            ]
        if parts:
            sums.append((metric, merge_by_label_set(parts)))
    return NewRollup(
        organization_id=organization_id,
        rollup=CompactedRollup(level=level, block=block, through=through),
        sums=sums,
    )


def _read_span(
    snapshot: Snapshot, metric: int, span: SegmentSpan
) -> list[tuple[Array, Array, Distributions | None]]:
    numbers = {"after_part": span.after_part, "before_part": span.before_part}
    label_sets, values = (
        read_columns(
            snapshot.connection, snapshot.organization_id, metric, kind, span.days, **numbers
        )
        for kind in (Kind.SERIES, Kind.VALUE)
    )
    check_together(values, label_sets)
    distributions = _read_distributions(snapshot, metric, span.days, **numbers)
    return [
        (label_sets[key], of_segment, distributions.get(key)) for key, of_segment in values.items()
    ]


def _read_distributions(
    snapshot: Snapshot, metric: int, days: tuple[int, int], **parts: int
) -> dict[tuple[int, int], Distributions]:
    """Return the distributions of a metric by segment, among those of `parts`."""
    if metric not in snapshot.metrics.distributed:
        return {}
    return read_distributions(snapshot.connection, snapshot.organization_id, metric, days, **parts)
