"""The metrics of one session, from its flushed points and the head."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from vumeter_server.custom_metrics.aggregation import OF_SESSIONS, compute
from vumeter_server.custom_metrics.distributions import Distributions, percentile
from vumeter_server.custom_metrics.distributions import joined as join_distributions
from vumeter_server.custom_metrics.questions import SessionMetric
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot, View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.segments import read_session_rows
from vumeter_server.custom_metrics.sqlite.formats.sessions import (
    distributions_of_session,
    read_session,
)
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import find_session
from vumeter_server.custom_metrics.sqlite.query.plan import Plan, SessionQuery
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3

_Point = tuple[int, int, int, float]
"""Metric, label set, time in microseconds, value."""


def stored_bytes(connection: sqlite3.Connection, organization_id: int, session_id: str) -> int:
    """Return what the flushed points of a session take; they are not read for it."""
    code = find_session(connection, organization_id, session_id)
    (size,) = connection.execute(
        "SELECT ifnull(sum(length(columns)), 0) FROM session_points"
        " WHERE organization_id = ? AND session_code = ?",
        (organization_id, code),
    ).fetchone()
    return int(size)


def answer_session(
    query: SessionQuery, _: Plan, view: View, __: OrganizationCache
) -> list[SessionMetric]:
    """Return an entry for each metric and label set, sorted by metric name, then labels."""
    snapshot = with_transaction(view)
    code = find_session(snapshot.connection, snapshot.organization_id, query.session_id)
    if code is None:
        return []
    points: list[_Point] = []
    distributions: list[tuple[Distributions | None, int]] = []
    for columns in read_session_rows(snapshot.connection, snapshot.organization_id, code):
        count = len(points)
        points += read_session(columns)
        distributions.append((distributions_of_session(columns), len(points) - count))
    of_head, distributions_of_head = _of_head(snapshot, code)
    distributions.append((distributions_of_head, len(of_head)))
    points += of_head
    joined = join_distributions(distributions)
    # The sort is stable: it keeps the order of recording among equal times.
    order = sorted(range(len(points)), key=lambda index: points[index][:3])
    metrics = []
    for (metric_code, series_code), entry in itertools.groupby(
        order, key=lambda index: points[index][:2]
    ):
        check_cancelled()
        if metric_code in snapshot.metrics.names:
            indexes = list(entry)
            metrics.append(
                _metric_of(
                    snapshot,
                    metric_code,
                    series_code,
                    [points[index] for index in indexes],
                    joined and joined.taken(np.array(indexes, np.int64), len(points)),
                )
            )
    return sorted(metrics, key=lambda metric: (metric.metric_name, sorted(metric.labels.items())))


def _of_head(snapshot: Snapshot, code: int) -> tuple[list[_Point], Distributions | None]:
    """Return the points of a session that are not flushed yet."""
    head = snapshot.head
    if not len(head):
        return [], None
    chosen = np.flatnonzero(head["session"] == code)
    of_session = head[chosen]
    columns = (of_session[name].tolist() for name in ("metric", "series", "time_us", "value"))
    distributions = snapshot.head_distributions
    return list(zip(*columns, strict=True)), distributions and distributions.taken(
        chosen, len(head)
    )


def _metric_of(
    snapshot: Snapshot,
    metric_code: int,
    series_code: int,
    points: Sequence[_Point],
    distributions: Distributions | None,
) -> SessionMetric:
    """Return what a session recorded of a metric with a label set; `points` by time."""
    metric_type = snapshot.metrics.types[metric_code]
    function = OF_SESSIONS.of(metric_type)
    values = [value for _, _, _, value in points]
    count, error = len(values), 0.0
    if distributions is None:
        value = compute(function, values)
    else:
        # Distributions are of histograms alone, of which sessions ask a percentile.
        value, error = percentile(np.array(values), distributions, function.percent)
        count = int(distributions.value_counts(count).sum())
    return SessionMetric(
        metric_name=snapshot.metrics.names[metric_code],
        type=metric_type,
        labels=snapshot.labels.of_series(series_code),
        last_time_us=points[-1][2],
        value=value,
        count=count,
        error=error,
    )
