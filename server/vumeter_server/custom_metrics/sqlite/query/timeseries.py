"""One metric over time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import compute_of_sums, nearest_rank
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.query.scan import Points, Scan, Wanted
from vumeter_server.custom_metrics.sqlite.rollups.building import runs_of
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US, of_matrix
from vumeter_server.custom_metrics.store import Timeseries, TimeseriesQuery


def query_timeseries(snapshot: Snapshot, query: TimeseriesQuery) -> Timeseries:
    """Answer `query`: the function of its type, of each bucket with a point."""
    code = snapshot.metrics.codes.get(query.metric_name)
    if code is None:
        return _timeseries(None, np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    metric_type = snapshot.metrics.types[code]
    scan = Scan(snapshot, query.selection, [code], Wanted(times=True))
    function = query.functions.of(metric_type)
    if not function.is_of_sums:
        return _percentiles(scan.all(), query, metric_type, function.percent)
    sums = _sums(snapshot, query, code, scan)
    counts, totals = sums.counts, sums.totals()
    cells = np.flatnonzero(counts)
    if len(cells) < len(counts):
        counts, totals = counts[cells], totals[cells]
    return _timeseries(metric_type, cells, compute_of_sums(function, totals, counts), counts)


def _percentiles(
    found: Iterable[Points], query: TimeseriesQuery, metric_type: MetricType, percent: int
) -> Timeseries:
    """Find the percentile of each bucket with a point."""
    runs: dict[int, list[Array]] = {}
    for points in found:
        for bucket, values in _runs(points, query):
            runs.setdefault(bucket, []).append(values)
    buckets = sorted(runs)
    percentiles = np.empty(len(buckets))
    counts = np.empty(len(buckets), np.int64)
    for index, bucket in enumerate(buckets):
        parts = runs[bucket]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        percentiles[index] = nearest_rank(values, percent)
        counts[index] = len(values)
    return _timeseries(metric_type, np.array(buckets, np.int64), percentiles, counts)


def _runs(points: Points, query: TimeseriesQuery) -> Iterator[tuple[int, Array]]:
    """Yield the buckets that points are in, with their values."""
    times_us, values = _times_of(points), points.values
    if (times_us[1:] < times_us[:-1]).any():
        # Sealed points are in the order of time, those of the log are not.
        order = np.argsort(times_us, kind="stable")
        times_us, values = times_us[order], values[order]
    start_us, step_us = query.selection.start_us, query.step_us
    first, last = (int(times_us[end] - start_us) // step_us for end in (0, -1))
    if last - first < len(times_us):
        starts_us = np.arange(first + 1, last + 1, dtype=np.int64) * step_us + start_us
        bounds = [0, *times_us.searchsorted(starts_us).tolist(), len(times_us)]
        for bucket, (at, end) in enumerate(itertools.pairwise(bounds), first):
            if at < end:
                yield bucket, values[at:end]
        return
    # There are more buckets than points.
    buckets = (times_us - start_us) // step_us
    for bucket, at, end in runs_of(buckets):
        yield bucket, values[at:end]


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
    sums = of_matrix(snapshot.totals_between([code], bounds)[0])
    rest_us = end_us // CELL_US * CELL_US
    if rest_us < end_us:
        for points in (*scan.days(rest_us, end_us), *scan.log([(rest_us, end_us)])):
            sums.add(_bucket_of(points, query), points.values)
    return sums


def _bucket_of(points: Points, query: TimeseriesQuery) -> Array:
    buckets: Array = (_times_of(points) - query.selection.start_us) // query.step_us
    return buckets


def _times_of(points: Points) -> Array:
    if points.times_us is None:
        raise RuntimeError("times were asked for")
    return points.times_us


def _timeseries(
    metric_type: MetricType | None,
    buckets: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> Timeseries:
    return Timeseries(type=metric_type, buckets=buckets, values=values, counts=counts)
