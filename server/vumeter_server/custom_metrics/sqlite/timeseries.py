"""One metric over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch import MetricType
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.percentiles import nearest_rank
from vumeter_server.custom_metrics.sqlite.columns import Array
from vumeter_server.custom_metrics.sqlite.scan import Points, Scan, Wanted
from vumeter_server.custom_metrics.sqlite.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.totals import CELL_US, of_matrix
from vumeter_server.custom_metrics.store import Timeseries, TimeseriesQuery

PERCENT = 95


def query_timeseries(snapshot: Snapshot, query: TimeseriesQuery) -> Timeseries:
    """Answer `query`: the sum, mean or 95th percentile of each bucket with a point."""
    code = snapshot.metrics.codes.get(query.metric_name)
    if code is None:
        return _timeseries(None, np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    metric_type = snapshot.metrics.types[code]
    scan = Scan(snapshot, query.selection, [code], Wanted(times=True))
    if metric_type is MetricType.HISTOGRAM:
        found = list(scan.all())
        values = [points.values.astype(np.float64) for points in found]
        buckets = [_bucket_of(points, query) for points in found]
        cells, percentiles, counts = nearest_rank(
            np.concatenate([np.empty(0), *values]),
            np.concatenate([np.empty(0, np.int64), *buckets]),
            PERCENT,
        )
        return _timeseries(metric_type, cells, percentiles, counts)
    sums = _sums(snapshot, query, code, scan)
    cells = np.flatnonzero(sums.counts)
    sums = sums.taken(cells)
    totals = sums.totals()
    if metric_type is MetricType.GAUGE:
        totals = totals / sums.counts
    return _timeseries(metric_type, cells, totals, sums.counts)


def _sums(snapshot: Snapshot, query: TimeseriesQuery, code: int, scan: Scan) -> ExactSums:
    """Sum by bucket: whole cells of 15 minutes from the totals, and what remains from points."""
    start_us, end_us = query.selection.start_us, query.selection.end_us
    buckets = -(-(end_us - start_us) // query.step_us)
    if query.selection.filters or start_us % CELL_US or query.step_us % CELL_US:
        sums = ExactSums.zeros(buckets)
        for points in scan.all():
            sums.add(_bucket_of(points, query), points.values)
        return sums
    bounds = np.arange(buckets + 1, dtype=np.int64) * (query.step_us // CELL_US)
    bounds += start_us // CELL_US
    bounds[-1] = end_us // CELL_US
    sums = of_matrix(*snapshot.totals_between([code], bounds))
    rest_us = end_us // CELL_US * CELL_US
    if rest_us < end_us:
        for points in (*scan.days(rest_us, end_us), *scan.log([(rest_us, end_us)])):
            sums.add(_bucket_of(points, query), points.values)
    return sums


def _bucket_of(points: Points, query: TimeseriesQuery) -> Array:
    if points.times_us is None:
        raise RuntimeError("times were asked for")
    buckets: Array = (points.times_us - query.selection.start_us) // query.step_us
    return buckets


def _timeseries(
    metric_type: MetricType | None,
    buckets: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> Timeseries:
    return Timeseries(type=metric_type, buckets=buckets, values=values, counts=counts)
