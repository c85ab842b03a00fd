"""The metrics of one session, from its flushed points and the head."""

from __future__ import annotations

import itertools
from operator import itemgetter

from vumeter_server.custom_metrics.aggregation import OF_SESSIONS, compute
from vumeter_server.custom_metrics.questions import SessionMetric
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.segments import read_session_rows
from vumeter_server.custom_metrics.sqlite.formats.sessions import read_session
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import find_session
from vumeter_server.custom_metrics.sqlite.query.plan import Plan, SessionQuery
from vumeter_server.sqlite import check_cancelled
from vumeter_server.sqlite.library import sqlite3


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
    blobs = read_session_rows(snapshot.connection, snapshot.organization_id, code)
    points = [point for columns in blobs for point in read_session(columns)]
    head = snapshot.head
    if len(head):
        of_session = head[head["session"] == code]
        columns = (of_session[name].tolist() for name in ("metric", "series", "time_us", "value"))
        points += zip(*columns, strict=True)
    # The sort is stable: it keeps the order of recording among equal times.
    points.sort(key=itemgetter(0, 1, 2))
    metrics = []
    for (metric_code, series_code), entry in itertools.groupby(points, key=itemgetter(0, 1)):
        check_cancelled()
        if metric_code in snapshot.metrics.names:
            times_us, values = zip(*((point[2], point[3]) for point in entry), strict=True)
            metric_type = snapshot.metrics.types[metric_code]
            metrics.append(
                SessionMetric(
                    metric_name=snapshot.metrics.names[metric_code],
                    type=metric_type,
                    labels=snapshot.labels.of_series(series_code),
                    last_time_us=times_us[-1],
                    value=compute(OF_SESSIONS.of(metric_type), values),
                    count=len(values),
                )
            )
    return sorted(metrics, key=lambda metric: (metric.metric_name, sorted(metric.labels.items())))
