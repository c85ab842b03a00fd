"""One metric over time, from scanned points."""

from __future__ import annotations

import numpy as np

from vumeter_server.custom_metrics.batch import MetricType
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.percentiles import nearest_rank
from vumeter_server.custom_metrics.sqlite.columns import Array
from vumeter_server.custom_metrics.sqlite.scan import Points, Wanted, scan
from vumeter_server.custom_metrics.sqlite.snapshots import Snapshot
from vumeter_server.custom_metrics.store import Timeseries, TimeseriesQuery

PERCENT = 95


def query_timeseries(snapshot: Snapshot, query: TimeseriesQuery) -> Timeseries:
    """Answer `query`: the sum, mean or 95th percentile of each bucket with a point."""
    code = snapshot.metrics.codes.get(query.metric_name)
    if code is None:
        nothing = np.empty(0)
        return Timeseries(
            type=None,
            buckets=nothing.astype(np.int64),
            values=nothing,
            counts=nothing.astype(np.int64),
        )
    metric_type = snapshot.metrics.types[code]
    found = list(scan(snapshot, query.selection, [code], Wanted(times=True)))
    buckets = [_bucket_of(points, query) for points in found]
    if metric_type is MetricType.HISTOGRAM:
        values = [points.values.astype(np.float64) for points in found]
        cells, percentiles, counts = nearest_rank(
            np.concatenate([np.empty(0), *values]),
            np.concatenate([np.empty(0, np.int64), *buckets]),
            PERCENT,
        )
        return Timeseries(type=metric_type, buckets=cells, values=percentiles, counts=counts)
    length_us = query.selection.end_us - query.selection.start_us
    sums = ExactSums(-(-length_us // query.step_us))
    for points, cells in zip(found, buckets, strict=True):
        sums.add(cells, points.values)
    cells = np.flatnonzero(sums.counts)
    sums = sums.taken(cells)
    values_of_cells = sums.totals()
    if metric_type is MetricType.GAUGE:
        values_of_cells = values_of_cells / sums.counts
    return Timeseries(type=metric_type, buckets=cells, values=values_of_cells, counts=sums.counts)


def _bucket_of(points: Points, query: TimeseriesQuery) -> Array:
    if points.times_us is None:
        raise RuntimeError("times were asked for")
    buckets: Array = (points.times_us - query.selection.start_us) // query.step_us
    return buckets
