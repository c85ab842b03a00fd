"""How a query of metrics is answered: groups ranked, the store asked, rows filled and ordered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import MAX_CELLS, check_cells
from vumeter_server.custom_metrics.metric_query import Fill, MetricQuery, QueryFunction
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import REST, FunctionOfMetric, Grouped, GroupedQuery
from vumeter_server.custom_metrics.row_order import order_of
from vumeter_server.custom_metrics.store import AskGrouped, MetricStore
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.buckets import BucketBounds, buckets_of, days_earlier, previous
from vumeter_server.times.ranges import TimeRange
from vumeter_server.times.units import SECOND_US

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class QueryRows:
    """The rows of an answer, in order.

    Attributes:
        names: the columns, of metrics, then of formulas.
        metrics: how many of them are metrics: so many columns `counts` has.
        group_by: the labels that `labels` has values of.
        starts_us, ends_us: int64[rows], the bucket's bounds.
        labels: each row's label values; None for the rest.
        values: float64[rows, columns], NaN for no value.
        counts: int64[rows, metrics].
        previous: float64[rows, columns], None without a comparison.
        groups: how many groups have a row, before `limit`.
        errors: float64[rows, metrics], how far percentiles may be off; None if all are exact.
    """

    names: list[str]
    metrics: int
    group_by: tuple[str, ...]
    starts_us: Integers
    ends_us: Integers
    labels: list[tuple[str, ...] | None]
    values: Floats
    counts: Integers
    previous: Floats | None
    groups: int
    errors: Floats | None = None

    def errors_of(self, row: int) -> dict[str, float]:
        """Return the errors of a row that are not 0, by column."""
        if self.errors is None:
            return {}
        errors = zip(self.names, self.errors[row].tolist(), strict=False)
        return {name: error for name, error in errors if error}


async def query_metrics(store: MetricStore, organization_id: int, query: MetricQuery) -> QueryRows:
    """Answer a query, all parts of it of one moment.

    Raises InvalidArgument for more than 11,000 buckets or 100,000 cells, and for a rate of a
    metric that is no counter.
    """
    buckets = buckets_of(query.time_range, query.step, query.zone)
    if not len(buckets):
        return _answer(query, buckets, _nothing(query), None, 0)
    return await store.at_one_moment(organization_id, lambda ask: _rows(ask, query, buckets))


def _rows(ask: AskGrouped, query: MetricQuery, buckets: BucketBounds) -> QueryRows:
    listed: list[tuple[str, ...]] | None = None
    groups = 0
    if query.limit is not None and query.group_by:
        whole = BucketBounds((buckets.bounds_us[0], buckets.bounds_us[-1]))
        found = ask(_asked(query, whole, None, None))
        _check_types(query, found)
        ranking = _ranked(query, whole, found)
        listed, groups = ranking[: query.limit], len(ranking)
    found = ask(_asked(query, buckets, listed, _cells(query)))
    _check_types(query, found)
    if listed is None:
        groups = int(np.count_nonzero(np.bincount(found.groups)))
    earlier = None
    if query.comparison is not None:
        days = query.comparison.days
        before: TimeRange = (
            days_earlier(query.time_range, days, query.zone)
            if days
            else previous(query.time_range, query.step, query.zone)
        )
        before_buckets = buckets_of(before, query.step, query.zone)
        if len(before_buckets):
            earlier = before_buckets, ask(_asked(query, before_buckets, listed, None))
    return _answer(query, buckets, found, earlier, groups)


def _cells(query: MetricQuery) -> int:
    """Return how many cells of metrics keep the answer, with its formulas, within its limit."""
    return MAX_CELLS * len(query.metrics) // len(query.names)


def _asked(
    query: MetricQuery,
    buckets: BucketBounds,
    listed: list[tuple[str, ...]] | None,
    max_cells: int | None,
) -> GroupedQuery:
    return GroupedQuery(
        bounds_us=buckets.bounds_us,
        columns=[
            FunctionOfMetric(metric_name=each.metric, function=each.of_points, filters=each.filters)
            for each in query.metrics
        ],
        filters=query.filters,
        group_by=query.group_by,
        groups=listed,
        has_rest=query.has_rest and listed is not None,
        max_cells=max_cells,
    )


def _check_types(query: MetricQuery, found: Grouped) -> None:
    for index, (metric, known) in enumerate(zip(query.metrics, found.types, strict=True)):
        if metric.function is QueryFunction.RATE and known not in (None, MetricType.COUNTER):
            raise InvalidArgument.of(
                f"metrics[{index}].function", "must not be rate but for a counter"
            )


def _nothing(query: MetricQuery) -> Grouped:
    """Return what a store answers where there are no points."""
    width = len(query.metrics)
    return Grouped(
        types=[None] * width,
        labels=[],
        buckets=np.empty(0, np.int64),
        groups=np.empty(0, np.int64),
        values=np.empty((0, width)),
        counts=np.empty((0, width), np.int64),
    )


def _ranked(query: MetricQuery, whole: BucketBounds, found: Grouped) -> list[tuple[str, ...]]:
    """Return the groups with a row by the order of the query over the whole range."""
    values = _columns(query, found.values, _seconds(whole)[found.buckets])
    order = _order(query, found, values)
    return [found.labels[group] for group in found.groups[order].tolist()]


def _answer(
    query: MetricQuery,
    buckets: BucketBounds,
    found: Grouped,
    earlier: tuple[BucketBounds, Grouped] | None,
    groups: int,
) -> QueryRows:
    if query.fill is not Fill.NONE:
        found = _with_every_bucket(query, found, len(buckets))
    check_cells(len(found.buckets), len(query.names))
    values = _columns(query, found.values, _seconds(buckets)[found.buckets])
    before = None
    if query.comparison is not None:
        before = _before(query, found, earlier)
    order = _order(query, found, values)
    # The rest is -1, and so the last. Arrays of objects are taken from faster than lists.
    labels = np.full(len(found.labels) + 1, None, object)
    for number, values_of_labels in enumerate(found.labels):
        labels[number] = values_of_labels
    bounds = np.array(buckets.bounds_us, np.int64)
    numbers = found.buckets.take(order)
    return QueryRows(
        names=query.names,
        metrics=len(query.metrics),
        group_by=query.group_by,
        starts_us=bounds.take(numbers),
        ends_us=bounds.take(numbers + 1),
        labels=labels.take(found.groups.take(order)).tolist(),
        values=values.take(order, axis=0),
        counts=found.counts.take(order, axis=0),
        previous=None if before is None else before[order],
        groups=groups,
        errors=None if found.errors is None else found.errors[order],
    )


def _with_every_bucket(query: MetricQuery, found: Grouped, buckets: int) -> Grouped:
    """Give every bucket to every group that has a row."""
    groups, rows = np.unique(found.groups, return_inverse=True)
    check_cells(len(groups) * buckets, len(query.names))
    width = len(query.metrics)
    places = rows * buckets + found.buckets
    values = np.full((len(groups) * buckets, width), np.nan)
    counts = np.zeros((len(groups) * buckets, width), np.int64)
    values[places], counts[places] = found.values, found.counts
    errors = None
    if found.errors is not None:
        errors = np.zeros(values.shape)
        errors[places] = found.errors
    return Grouped(
        types=found.types,
        labels=found.labels,
        buckets=np.tile(np.arange(buckets), len(groups)),
        groups=np.repeat(groups, buckets),
        values=values,
        counts=counts,
        errors=errors,
    )


def _seconds(buckets: BucketBounds) -> Floats:
    """Return float64[buckets], the length of each."""
    return np.diff(np.array(buckets.bounds_us, np.float64)) / SECOND_US


def _columns(query: MetricQuery, values: Floats, seconds: Floats) -> Floats:
    """Return float64[rows, columns]: rates divided, zeros filled in, then the formulas.

    `values` is float64[rows, metrics] as a store answers, `seconds` float64[rows].
    """
    columns = []
    for index, metric in enumerate(query.metrics):
        column = values[:, index]
        if metric.function is QueryFunction.RATE:
            column = column / seconds
        if query.fill is Fill.ZERO and metric.function.is_zero_without_points:
            column = np.nan_to_num(column, nan=0.0)
        columns.append(column)
    by_name = {metric.name: column for metric, column in zip(query.metrics, columns, strict=True)}
    columns += [each.formula.evaluate(by_name, len(values)) for each in query.formulas]
    return np.column_stack(columns)


def _before(
    query: MetricQuery, found: Grouped, earlier: tuple[BucketBounds, Grouped] | None
) -> Floats:
    """Return float64[rows, columns]: values of the same bucket and group in the range before."""
    values = np.full((len(found.buckets), len(query.metrics)), np.nan)
    seconds = np.ones(len(found.buckets))
    if earlier is not None:
        buckets, before = earlier
        lengths = _seconds(buckets)
        seconds = lengths[np.minimum(found.buckets, len(lengths) - 1)]
        numbers = {group: number for number, group in enumerate(found.labels)}
        # Of groups that are not asked about there is no row; the rest is -1 on both sides.
        of_group = np.array([*(numbers.get(each, REST - 1) for each in before.labels), REST])
        groups = of_group[before.groups]
        width = len(found.labels) + 2
        keys = before.buckets * width + groups - REST + 1
        order = np.argsort(keys)
        wanted = found.buckets * width + found.groups - REST + 1
        places = np.searchsorted(keys, wanted, sorter=order)
        if len(keys):
            rows = order[np.minimum(places, len(keys) - 1)]
            known = keys[rows] == wanted
            values[known] = before.values[rows[known]]
    return _columns(query, values, seconds)


def _order(query: MetricQuery, found: Grouped, values: Floats) -> Integers:
    """Return the order of rows: by bucket, the rest last, by value, by label values."""
    column = values[:, query.order_by]
    lacks = np.isnan(column)
    sizes = np.where(lacks, 0.0, -column if query.is_descending else column)
    # One more, which the rest finds.
    ranks = np.zeros(len(found.labels) + 1, np.int64)
    by_label = sorted(range(len(found.labels)), key=found.labels.__getitem__)
    ranks[by_label] = np.arange(len(by_label))
    first = (found.buckets * 2 + (found.groups == REST)) * 2 + lacks
    return order_of(first, sizes, ranks[found.groups])
