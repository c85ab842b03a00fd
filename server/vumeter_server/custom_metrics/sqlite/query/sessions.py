"""The metrics of one session, from its sealed points and the log."""

from __future__ import annotations

import itertools
import math
from operator import itemgetter

from vumeter_server.custom_metrics.aggregation import rank_of
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.sessions import read_session
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import find_session
from vumeter_server.custom_metrics.sqlite.query.timeseries import PERCENT
from vumeter_server.custom_metrics.store import SessionMetric
from vumeter_server.sqlite import check_cancelled

# So many points of the log are looked through together as fast as one that is told.
LOG_AT_ONCE = 1_000


def query_session(snapshot: Snapshot, session_id: str) -> list[SessionMetric]:
    """Return an entry for each metric and series, sorted by metric name, then labels."""
    code = find_session(snapshot.connection, snapshot.organization_id, session_id)
    if code is None:
        return []
    rows = snapshot.connection.execute(
        "SELECT columns FROM session_points WHERE organization_id = ? AND session_code = ?"
        " ORDER BY part, day",
        (snapshot.organization_id, code),
    )
    parts = [columns for (columns,) in rows]
    # A point takes at least 9 bytes.
    snapshot.check_quick(sum(map(len, parts)) // 9 + len(snapshot.log) // LOG_AT_ONCE)
    points = [point for columns in parts for point in read_session(columns)]
    log = snapshot.log
    if len(log):
        of_session = log[log["session"] == code]
        columns = (of_session[name].tolist() for name in ("metric", "series", "time_us", "value"))
        points += zip(*columns, strict=True)
    # The sort is stable: it keeps the order of recording among equal times.
    points.sort(key=itemgetter(0, 1, 2))
    metrics = []
    for (metric_code, series_code), entry in itertools.groupby(points, key=itemgetter(0, 1)):
        check_cancelled()
        if metric_code in snapshot.metrics.names:
            times_us, values = zip(*((point[2], point[3]) for point in entry), strict=True)
            metrics.append(
                SessionMetric(
                    metric_name=snapshot.metrics.names[metric_code],
                    type=snapshot.metrics.types[metric_code],
                    labels=snapshot.labels.of_series(series_code),
                    last_time_us=times_us[-1],
                    value=_value(snapshot.metrics.types[metric_code], values),
                    count=len(values),
                )
            )
    return sorted(metrics, key=lambda metric: (metric.metric_name, sorted(metric.labels.items())))


def _value(metric_type: MetricType, values: tuple[float, ...]) -> float:
    """Aggregate values that are in the order of time."""
    if metric_type is MetricType.COUNTER:
        return math.fsum(values)
    if metric_type is MetricType.GAUGE:
        return values[-1]
    return sorted(values)[rank_of(len(values), PERCENT) - 1]
