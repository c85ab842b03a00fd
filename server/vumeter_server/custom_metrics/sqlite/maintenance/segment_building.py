"""Turns points into what is written of a segment: columns, sessions and rollups."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    DAY_US,
    DISTRIBUTION_KIND,
    Array,
    Kind,
    encode,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import encode_distributions
from vumeter_server.custom_metrics.sqlite.formats.segments import (
    SegmentRange,
    SegmentRows,
    SessionRow,
    delete_segments,
)
from vumeter_server.custom_metrics.sqlite.formats.sessions import encode_sessions
from vumeter_server.custom_metrics.sqlite.rollups import compacted
from vumeter_server.custom_metrics.sqlite.rollups.building import add_rollups, runs_of
from vumeter_server.custom_metrics.sqlite.rollups.rows import RollupRows, delete_rollups
from vumeter_server.sqlite.library import sqlite3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FlushedRows:
    """All rows that are written of some segments."""

    segments: SegmentRows = field(default_factory=SegmentRows)
    rollups: RollupRows = field(default_factory=RollupRows)

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the rows."""
        self.segments.insert(connection)
        self.rollups.insert(connection)


def rows_of_points(
    snapshot: Snapshot,
    part: int,
    points: npt.NDArray[np.void],
    now_us: int,
    distributions: Distributions | None = None,
) -> FlushedRows:
    """Return the rows of points, one segment for each of their days."""
    days = points["time_us"] // DAY_US
    rows = FlushedRows()
    rows.segments.sessions.extend(
        session_rows(snapshot.organization_id, part, points, days, distributions)
    )
    order = np.lexsort((points["time_us"], points["metric"], days))
    points, days = points[order], days[order]
    if distributions is not None:
        distributions = distributions.taken(order, len(order))
    for day, start, stop in runs_of(days):
        of_day = points[start:stop]
        add_segment(
            rows,
            snapshot,
            day,
            part,
            flushed_us=now_us,
            metrics=of_day["metric"],
            columns={
                Kind.TIME: of_day["time_us"] - day * DAY_US,
                Kind.VALUE: of_day["value"],
                Kind.SERIES: of_day["series"],
                Kind.SESSION: of_day["session"].astype(np.int64) + 1,
            },
            distributions=distributions and distributions.between(start, stop),
        )
    return rows


def add_segment(
    rows: FlushedRows,
    snapshot: Snapshot,
    day: int,
    part: int,
    *,
    metrics: Array,
    columns: dict[Kind, Array],
    flushed_us: int,
    summed: int = 1,
    distributions: Distributions | None = None,
) -> None:
    """Add the rows of one segment; the points are ordered by metric, then time.

    `distributions` are those among the points, None if there are none. `summed` counts how often a
    segment of that number was written: compaction writes it again.
    """
    organization_id = snapshot.organization_id
    for metric, start, stop in runs_of(metrics):
        for kind, column in columns.items():
            blob = encode(column[start:stop], ascending=kind is Kind.TIME)
            rows.segments.columns.append(
                (organization_id, metric, int(kind), day, part, stop - start, blob)
            )
        of_metric = distributions and distributions.between(start, stop)
        if of_metric is not None:
            blob = encode_distributions(of_metric)
            rows.segments.columns.append(
                (organization_id, metric, DISTRIBUTION_KIND, day, part, stop - start, blob)
            )
    add_rollups(
        rows.rollups,
        organization_id,
        snapshot.labels,
        day,
        part,
        metrics=metrics,
        times_us=columns[Kind.TIME],
        label_sets=columns[Kind.SERIES],
        values=columns[Kind.VALUE],
        **of_distributions(columns[Kind.VALUE], distributions),
    )
    rows.segments.days.append((organization_id, day, part, len(metrics), summed, flushed_us))


def of_distributions(values: Array, distributions: Distributions | None) -> dict[str, Array | None]:
    """Return counts, minima and maxima of points for `add_rollups`; None where all are plain."""
    if distributions is None:
        return {"counts": None, "minima": None, "maxima": None}
    minima, maxima = values.astype(np.float64), values.astype(np.float64)
    minima[distributions.positions] = distributions.minima
    maxima[distributions.positions] = distributions.maxima
    counts = distributions.value_counts(len(values))
    return {"counts": counts, "minima": minima, "maxima": maxima}


def session_rows(
    organization_id: int,
    part: int,
    points: npt.NDArray[np.void],
    days: npt.NDArray[np.int64],
    distributions: Distributions | None = None,
) -> list[SessionRow]:
    """Return a row for each session and day of points."""
    of_session = np.flatnonzero(points["session"] >= 0)
    if not len(of_session):
        return []
    order = of_session[np.lexsort((days[of_session], points["session"][of_session]))]
    if distributions is not None:
        distributions = distributions.taken(order, len(points))
    points, days = points[order], days[order]
    sessions = points["session"]
    changes = (sessions[1:] != sessions[:-1]) | (days[1:] != days[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    blobs = encode_sessions(points, starts, distributions)
    return [
        (organization_id, session, part, day, blob)
        for session, day, blob in zip(
            sessions[starts].tolist(), days[starts].tolist(), blobs, strict=True
        )
    ]


def delete_segments_with_rollups(connection: sqlite3.Connection, segments: SegmentRange) -> None:
    """Delete segments with their rollups, but not what sessions have of them."""
    delete_segments(connection, segments)
    delete_rollups(connection, segments)
    compacted.delete_of_day(connection, segments.organization_id, segments.day)
