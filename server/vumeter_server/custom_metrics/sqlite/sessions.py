"""The metrics of one session, from its sealed points and the log."""

from __future__ import annotations

import numpy as np

from vumeter_server.custom_metrics.batch import MetricType
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.percentiles import nearest_rank
from vumeter_server.custom_metrics.sqlite.columns import POINT, decode_session
from vumeter_server.custom_metrics.sqlite.dictionaries import find_session
from vumeter_server.custom_metrics.sqlite.snapshots import Points, Snapshot
from vumeter_server.custom_metrics.sqlite.timeseries import PERCENT
from vumeter_server.custom_metrics.store import SessionMetric


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
    sealed = [decode_session(columns, code) for (columns,) in rows]
    log = snapshot.log
    points = np.concatenate([np.empty(0, POINT), *sealed, log[log["session"] == code]])
    entries = points["metric"].astype(np.int64) << 32 | points["series"]
    # A stable sort keeps the order of recording among equal times.
    order = np.lexsort((points["time_us"], entries))
    points, entries = points[order], entries[order]
    _, starts = np.unique(entries, return_index=True)
    metrics = [
        _entry(snapshot, entry)
        for entry in np.split(points, starts[1:])
        if len(entry) and int(entry["metric"][0]) in snapshot.metrics.names
    ]
    return sorted(metrics, key=lambda metric: (metric.metric_name, sorted(metric.labels.items())))


def _entry(snapshot: Snapshot, points: Points) -> SessionMetric:
    """Aggregate the points of one metric and series, which are in the order of time."""
    metric_code = int(points["metric"][0])
    metric_type = snapshot.metrics.types[metric_code]
    values = points["value"]
    if metric_type is MetricType.COUNTER:
        value = float(ExactSums.of(np.zeros(len(values), np.int64), values, 1).totals()[0])
    elif metric_type is MetricType.GAUGE:
        value = float(values[-1])
    else:
        _, percentiles, _ = nearest_rank(values, np.zeros(len(values), np.int64), PERCENT)
        value = float(percentiles[0])
    return SessionMetric(
        metric_name=snapshot.metrics.names[metric_code],
        type=metric_type,
        labels=snapshot.labels.of_series(int(points["series"][0])),
        last_time_us=int(points["time_us"][-1]),
        value=value,
        count=len(values),
    )
