"""Compaction: the segments of a day become one, and neighbouring days get a common rollup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.distributions import joined as join_distributions
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Array, Kind
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    EVERY_PART,
    check_together,
    read_columns,
    read_distributions,
)
from vumeter_server.custom_metrics.sqlite.maintenance.deletion_rows import under_way
from vumeter_server.custom_metrics.sqlite.maintenance.segment_building import (
    FlushedRows,
    add_segment,
    delete_day,
    of_distributions,
)
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.sqlite.rollups.building import merge_by_label_set, sum_by
from vumeter_server.custom_metrics.sqlite.rollups.compacted import CompactedRollup, NewRollup
from vumeter_server.sqlite.library import sqlite3

COMPACT_AT_SEGMENTS = 8


def days_due(connection: sqlite3.Connection, *, segments: int) -> list[tuple[int, int]]:
    """Return organizations and days with at least `segments` segments, or with older rollups.

    Those are of an earlier version, and without minima and maxima.
    """
    return connection.execute(
        "SELECT organization_id, day FROM metric_days GROUP BY organization_id, day"
        " HAVING count(*) >= ? OR min(summed) = 0 OR min(has_extremes) = 0"
        " ORDER BY organization_id, day",
        (segments,),
    ).fetchall()


def days_without_rollups(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return organizations and days with a segment that was written before there were rollups."""
    return connection.execute(
        "SELECT DISTINCT organization_id, day FROM metric_days WHERE summed = 0"
        " ORDER BY organization_id, day"
    ).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CompactedDay:
    """What compacting a day writes: one segment in the place of all up to its number."""

    organization_id: int
    day: int
    part: int
    rows: FlushedRows


def prepare_day(snapshot: Snapshot, day: int) -> CompactedDay | None:
    """Read all segments of a day and join them, without the points of deleted metrics.

    None while a deletion is under way, which finds points by the numbers of their segments.
    """
    if under_way(snapshot):
        return None
    part, summed, flushed_us = snapshot.connection.execute(
        "SELECT max(part), max(summed), max(sealed_us) FROM metric_days"
        " WHERE organization_id = ? AND day = ?",
        (snapshot.organization_id, day),
    ).fetchone()
    points = join_day(snapshot, day)
    rows = FlushedRows()
    if len(points.metrics):
        add_segment(
            rows,
            snapshot,
            day,
            part,
            metrics=points.metrics,
            columns=points.columns,
            flushed_us=flushed_us,
            summed=summed + 1,
            distributions=points.distributions,
        )
    return CompactedDay(organization_id=snapshot.organization_id, day=day, part=part, rows=rows)


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


def join_day(snapshot: Snapshot, day: int, before_part: int = EVERY_PART) -> DayOfPoints:
    """Read the segments of a day with smaller numbers, without the points of deleted metrics."""
    metrics: list[Array] = [np.empty(0, np.int64)]
    columns: dict[Kind, list[Array]] = {kind: [] for kind in Kind}
    distributions: list[tuple[Distributions | None, int]] = []
    for metric in sorted(snapshot.metrics.names):
        joined, of_metric = _joined(snapshot, metric, day, before_part)
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
    snapshot: Snapshot, metric: int, day: int, before_part: int
) -> tuple[dict[Kind, Array], Distributions | None]:
    """Return every column of a metric's day; raises StorageDamaged if a part of one is missing."""
    found = {
        kind: read_columns(
            snapshot.connection,
            snapshot.organization_id,
            metric,
            kind,
            (day, day + 1),
            before_part=before_part,
        )
        for kind in Kind
    }
    for column in found.values():
        check_together(found[Kind.VALUE], column)
    distributions = _read_distributions(snapshot, metric, (day, day + 1), before_part=before_part)
    columns = {
        kind: np.concatenate(list(of_kind.values())) if of_kind else np.empty(0, np.int64)
        for kind, of_kind in found.items()
    }
    parts = [(distributions.get(key), len(each)) for key, each in found[Kind.VALUE].items()]
    return columns, join_distributions(parts)


def apply_day(connection: sqlite3.Connection, compacted_day: CompactedDay) -> None:
    """Put the one segment in the place of those that it was made of."""
    delete_day(connection, compacted_day.organization_id, compacted_day.day, compacted_day.part)
    compacted_day.rows.insert(connection)


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
    sums = []
    for metric in sorted(snapshot.metrics.names):
        read = (compacted.read(connection, organization_id, each, metric) for each in smaller)
        parts = [part for part in read if part is not None]
        for piece in pieces:
            parts += [
                sum_by(label_sets, values, **of_distributions(values, distributions))
                for label_sets, values, distributions in _read_days(snapshot, metric, *piece)
            ]
        if parts:
            sums.append((metric, merge_by_label_set(parts)))
    return NewRollup(
        organization_id=organization_id,
        rollup=CompactedRollup(level=level, block=block, through=through),
        sums=sums,
    )


def _read_days(
    snapshot: Snapshot, metric: int, first: int, end: int, after_part: int
) -> list[tuple[Array, Array, Distributions | None]]:
    label_sets, values = (
        read_columns(
            snapshot.connection,
            snapshot.organization_id,
            metric,
            kind,
            (first, end),
            after_part=after_part,
        )
        for kind in (Kind.SERIES, Kind.VALUE)
    )
    check_together(values, label_sets)
    distributions = _read_distributions(snapshot, metric, (first, end), after_part=after_part)
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
