"""One metric over time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Function, compute_of_sums, nearest_rank
from vumeter_server.custom_metrics.distributions import joined
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import Timeseries, TimeseriesQuery
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.view import View, with_transaction
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.query.cells import Cells, GatheredPoints
from vumeter_server.custom_metrics.sqlite.query.plan import Plan, Source
from vumeter_server.custom_metrics.sqlite.query.scan import PointColumns, Scan, Wanted
from vumeter_server.custom_metrics.sqlite.rollups.building import runs_of
from vumeter_server.custom_metrics.sqlite.rollups.intervals import of_matrix


def answer_timeseries(
    query: TimeseriesQuery, plan: Plan, view: View, cache: OrganizationCache
) -> Timeseries:
    """Answer `query`: the function of its type, of each bucket with a point."""
    code = view.metrics.codes.get(query.metric_name)
    if code is None:
        return _timeseries(None, np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    metric_type = view.metrics.types[code]
    function = query.functions.of(metric_type)
    if plan.source is Source.NOTHING:
        return _timeseries(metric_type, np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    if plan.periods is not None:
        sums = of_matrix(cache.sums(view, (code,), plan.periods, plan.found)[0])
        return _of_sums(metric_type, function, sums)
    is_distributed = code in view.metrics.distributed
    wanted = Wanted(times=True, distributions=is_distributed)
    scan = Scan(with_transaction(view), query.selection, [code], wanted)
    if not function.is_of_sums and is_distributed:
        return _percentiles_of_cells(scan.all(), query, metric_type, function)
    if not function.is_of_sums:
        return _percentiles(scan.all(), query, metric_type, function.percent)
    return _of_sums(metric_type, function, _sums_of_points(scan.all(), query))


def _of_sums(metric_type: MetricType, function: Function, sums: ExactSums) -> Timeseries:
    """Return what is computed of sums, of the buckets with a point."""
    counts, totals = sums.counts, sums.totals()
    buckets = np.flatnonzero(counts)
    if len(buckets) < len(counts):
        counts, totals = counts[buckets], totals[buckets]
    values = compute_of_sums(function, totals, counts)
    return _timeseries(metric_type, buckets, values, counts)


def _percentiles(
    found: Iterable[PointColumns],
    query: TimeseriesQuery,
    metric_type: MetricType,
    percent: int | Fraction,
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


def _percentiles_of_cells(
    found: Iterable[PointColumns],
    query: TimeseriesQuery,
    metric_type: MetricType,
    function: Function,
) -> Timeseries:
    """Find the percentile of each bucket with a point, where some points are distributions."""
    each = list(found)
    buckets = np.concatenate([np.empty(0, np.int64), *(_bucket_of(p, query) for p in each)])
    points = GatheredPoints(
        buckets=buckets,
        groups=np.zeros(len(buckets), np.int64),
        values=np.concatenate([np.empty(0), *(p.values.astype(np.float64) for p in each)]),
        times_us=None,
        sessions=None,
        distributions=joined([(p.distributions, len(p.values)) for p in each]),
    )
    computed = Cells(buckets, int(buckets.max(initial=0)) + 1, points).compute(function)
    return Timeseries(
        type=metric_type,
        buckets=computed.keys,
        values=computed.values,
        counts=computed.counts,
        errors=computed.errors,
    )


def _runs(points: PointColumns, query: TimeseriesQuery) -> Iterator[tuple[int, Array]]:
    """Yield the buckets that points are in, with their values."""
    times_us, values = _times_of(points), points.values
    if (times_us[1:] < times_us[:-1]).any():
        # Flushed points are in the order of time, those of the head are not.
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


def _sums_of_points(found: Iterable[PointColumns], query: TimeseriesQuery) -> ExactSums:
    """Sum points by bucket."""
    start_us, end_us = query.selection.start_us, query.selection.end_us
    sums = ExactSums.zeros(-(-(end_us - start_us) // query.step_us))
    for points in found:
        sums.add(_bucket_of(points, query), points.values)
    return sums


def _bucket_of(points: PointColumns, query: TimeseriesQuery) -> Array:
    buckets: Array = (_times_of(points) - query.selection.start_us) // query.step_us
    return buckets


def _times_of(points: PointColumns) -> Array:
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
