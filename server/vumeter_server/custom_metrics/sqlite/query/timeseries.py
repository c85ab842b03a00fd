"""One metric over time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Function, compute_of_sums
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import Timeseries, TimeseriesQuery
from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.ranges import Periods
from vumeter_server.custom_metrics.sqlite.cache.view import View, with_transaction
from vumeter_server.custom_metrics.sqlite.query.cells import Cells
from vumeter_server.custom_metrics.sqlite.query.gathered_points import (
    GatheredPoints,
    bucket_of,
    gather,
)
from vumeter_server.custom_metrics.sqlite.query.plan import Plan, Source
from vumeter_server.custom_metrics.sqlite.query.point_columns import PointColumns
from vumeter_server.custom_metrics.sqlite.query.scan import Scan, Wanted
from vumeter_server.custom_metrics.sqlite.rollups.intervals import of_matrix

Integers = npt.NDArray[np.int64]


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
    found = Scan(with_transaction(view), query.selection, [code], wanted).all()
    bounds_us = Periods.regular(
        query.selection.start_us, query.selection.end_us, query.step_us
    ).bounds_us
    if function.is_of_sums:
        return _of_sums(metric_type, function, _sums_of_points(found, bounds_us))
    return _of_cells(metric_type, function, gather(found, bounds_us, lambda _: 0))


def _of_sums(metric_type: MetricType, function: Function, sums: ExactSums) -> Timeseries:
    """Return what is computed of sums, of the buckets with a point."""
    counts, totals = sums.counts, sums.totals()
    buckets = np.flatnonzero(counts)
    if len(buckets) < len(counts):
        counts, totals = counts[buckets], totals[buckets]
    values = compute_of_sums(function, totals, counts)
    return _timeseries(metric_type, buckets, values, counts)


def _of_cells(metric_type: MetricType, function: Function, points: GatheredPoints) -> Timeseries:
    """Return what is computed of points, of the buckets with a point."""
    space = int(points.buckets.max(initial=0)) + 1
    computed = Cells(points.buckets, space, points).compute(function)
    return Timeseries(
        type=metric_type,
        buckets=computed.keys,
        values=computed.values,
        counts=computed.counts,
        errors=computed.errors,
    )


def _sums_of_points(found: Iterable[PointColumns], bounds_us: Integers) -> ExactSums:
    """Sum points by bucket."""
    sums = ExactSums.zeros(len(bounds_us) - 1)
    for points in found:
        buckets = np.broadcast_to(bucket_of(points, bounds_us), len(points.values))
        sums.add(buckets, points.values)
    return sums


def _timeseries(
    metric_type: MetricType | None,
    buckets: Integers,
    values: npt.NDArray[np.float64],
    counts: Integers,
) -> Timeseries:
    return Timeseries(type=metric_type, buckets=buckets, values=values, counts=counts)
