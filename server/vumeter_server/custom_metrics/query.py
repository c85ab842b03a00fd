"""The use case of asking: check the request, ask the store, put rows in order; for both APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import (
    MAX_TAG_VALUES,
    check_cells,
    order_of_rows,
)
from vumeter_server.custom_metrics.labels import (
    MAX_ID,
    MAX_LABEL_NAME,
    MAX_METRIC_NAME,
    LabelFilter,
    check_length,
)
from vumeter_server.custom_metrics.metric_query import QueryRequest, check_query
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.query_metrics import QueryRows, query_metrics
from vumeter_server.custom_metrics.questions import (
    MetricInfo,
    Selection,
    SessionMetric,
    SumQuery,
    Sums,
    TagValues,
    TagValuesQuery,
    Timeseries,
    TimeseriesQuery,
)
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.errors import InvalidArgument
from vumeter_server.runtime.offload import RENDERING
from vumeter_server.times.ranges import TimeRange, count_buckets, day_bounds


@dataclass(frozen=True, kw_only=True, slots=True)
class SumRequest:
    """What aggregate and daily ask for; no metric names means every metric with a point."""

    time_range: TimeRange
    filters: LabelFilter = ()
    metric_names: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeseriesRequest:
    """What timeseries asks for."""

    time_range: TimeRange
    metric_name: str
    step_us: int
    filters: LabelFilter = ()
    fill_zero: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """Ordered rows of sums.

    Attributes:
        metric_names: the columns of `sums`.
        group_by: the labels that `groups` has values of.
        days: each row's calendar day, an index into `dates`.
        dates: the days that occur in the range; empty for aggregate.
        groups: each row's label values; "" for points without the label.
        sums: float64[rows, metrics].
    """

    metric_names: list[str]
    group_by: tuple[str, ...]
    days: list[int]
    dates: list[date]
    groups: list[tuple[str, ...]]
    sums: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Queries:
    """Answers queries of one organization at a time from a store."""

    store: MetricStore

    async def names(self, organization_id: int, agent_id: str) -> list[str]:
        """Return metric names, sorted; "" as the agent means all agents."""
        check_length(agent_id, "agent_id", MAX_ID)
        return await self.store.names(organization_id, agent_id or None)

    async def metrics(self, organization_id: int) -> list[MetricInfo]:
        """Return all metrics, sorted by name."""
        return await self.store.metrics(organization_id)

    async def aggregate(self, organization_id: int, request: SumRequest) -> Rows:
        """Return a row per group with a point of a metric asked for, the largest total first.

        Without grouping it is exactly one row. Raises InvalidArgument for more than 100,000 cells.
        """
        sums = await self.store.sums(organization_id, _sum_query(request, None))
        if not request.group_by and not len(sums.sums):
            sums = _one_row_of_zeros(sums)
        return await _rows(request, sums, [])

    async def daily(
        self, organization_id: int, request: SumRequest, zone: ZoneInfo, *, fill_zero: bool
    ) -> Rows:
        """Return rows by calendar day of `zone`, in order; within a day as `aggregate`.

        Only days with a point, or with `fill_zero`, which does not go with grouping, all of them.
        Raises InvalidArgument for more than 100,000 cells.
        """
        if fill_zero and request.group_by:
            raise InvalidArgument.of("fill", "must not be used together with a grouping")
        days = day_bounds(request.time_range, zone)
        bounds_us = [day.start_us for day in days] + [request.time_range.end_us]
        sums = await self.store.sums(organization_id, _sum_query(request, bounds_us))
        if fill_zero:
            check_cells(len(days), len(sums.metric_names))
            sums = _all_periods(sums, len(days))
        return await _rows(request, sums, [day.date for day in days])

    async def timeseries(self, organization_id: int, request: TimeseriesRequest) -> Timeseries:
        """Return the buckets with a point, or with `fill_zero`, counters only, all of them.

        Raises InvalidArgument for more than 11,000 buckets.
        """
        check_length(request.metric_name, "metric_name", MAX_METRIC_NAME)
        buckets = count_buckets(request.time_range, request.step_us)
        found = await self.store.timeseries(
            organization_id,
            TimeseriesQuery(
                selection=_selection(request.time_range, request.filters),
                metric_name=request.metric_name,
                step_us=request.step_us,
            ),
        )
        if not request.fill_zero or found.type is None:
            return found
        if found.type is not MetricType.COUNTER:
            raise InvalidArgument.of("fill", "must not be used but for counters")
        values, counts = np.zeros(buckets), np.zeros(buckets, np.int64)
        values[found.buckets], counts[found.buckets] = found.values, found.counts
        return Timeseries(type=found.type, buckets=np.arange(buckets), values=values, counts=counts)

    async def tags(
        self, organization_id: int, metric_name: str, agent_id: str
    ) -> dict[str, TagValues]:
        """Return user labels, keys and values sorted, the first 1,000 values of each key."""
        check_length(metric_name, "metric_name", MAX_METRIC_NAME)
        check_length(agent_id, "agent_id", MAX_ID)
        return await self.store.tags(
            organization_id, metric_name or None, agent_id or None, MAX_TAG_VALUES
        )

    async def tag_values(
        self, organization_id: int, query: TagValuesQuery
    ) -> list[tuple[str, str]]:
        """Return user labels as pairs of key and value, sorted, however many a key has."""
        check_length(query.metric_name or "", "metric_name", MAX_METRIC_NAME)
        check_length(query.agent_id or "", "agent_id", MAX_ID)
        check_length(query.key or "", "key", MAX_LABEL_NAME)
        check_length(query.prefix, "prefix", MAX_ID)
        return await self.store.tag_values(organization_id, query)

    async def query_metrics(self, organization_id: int, request: QueryRequest) -> QueryRows:
        """Answer any functions of metrics by group and bucket.

        Raises InvalidArgument naming the field that is wrong, or for too large an answer.
        """
        return await query_metrics(self.store, organization_id, check_query(request))

    async def session(self, organization_id: int, session_id: str) -> list[SessionMetric]:
        """Return what one session recorded, sorted by metric name, then labels."""
        if not session_id:
            raise InvalidArgument.of("session_id", "must be a string")
        check_length(session_id, "session_id", MAX_ID)
        return await self.store.session(organization_id, session_id)


def _selection(time_range: TimeRange, filters: LabelFilter) -> Selection:
    return Selection(start_us=time_range.start_us, end_us=time_range.end_us, filters=filters)


def _sum_query(request: SumRequest, bounds_us: Sequence[int] | None) -> SumQuery:
    return SumQuery(
        selection=_selection(request.time_range, request.filters),
        metric_names=request.metric_names or None,
        group_by=request.group_by,
        bounds_us=bounds_us,
    )


def _one_row_of_zeros(sums: Sums) -> Sums:
    return Sums(
        metric_names=sums.metric_names,
        periods=np.zeros(1, np.int64),
        groups=[()],
        sums=np.zeros((1, len(sums.metric_names))),
        totals=np.zeros(1),
    )


def _all_periods(sums: Sums, periods: int) -> Sums:
    table = np.zeros((periods, len(sums.metric_names)))
    table[sums.periods] = sums.sums
    totals = np.zeros(periods)
    totals[sums.periods] = sums.totals
    return Sums(
        metric_names=sums.metric_names,
        periods=np.arange(periods),
        groups=[()] * periods,
        sums=table,
        totals=totals,
    )


async def _rows(request: SumRequest, sums: Sums, dates: list[date]) -> Rows:
    if not request.group_by:
        # At most one row a period, in order.
        return Rows(
            metric_names=sums.metric_names,
            group_by=(),
            days=sums.periods.tolist(),
            dates=dates,
            groups=sums.groups,
            sums=sums.sums,
        )
    return await RENDERING.run(lambda: _ordered_rows(request, sums, dates), size=sums.sums.size)


def _ordered_rows(request: SumRequest, sums: Sums, dates: list[date]) -> Rows:
    periods, groups = sums.periods.tolist(), sums.groups
    order = order_of_rows(sums.totals.tolist(), periods, groups)
    return Rows(
        metric_names=sums.metric_names,
        group_by=request.group_by,
        days=[periods[row] for row in order],
        dates=dates,
        groups=[groups[row] for row in order],
        sums=sums.sums[order],
    )
