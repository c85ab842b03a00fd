"""The planner of functions by group and bucket: what each metric of a query is answered from.

A metric with its filters is one source of the query. What its functions need, and which labels its
filters and the grouping are about, decides:

- sums, counts, means, minima and maxima by no label: prefix sums and rollup intervals;
- the same by one label: the rollups by label of whole days;
- the same by several labels: the compacted rollups by label set of whole days;
- percentiles, last values, sessions, whatever is about sessions, and metrics with distributions:
  the points.

What is outside of whole intervals or days comes from points. Regular expressions are about labels
like the other filters: they are applied to the values in the label index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import Statistic
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.questions import GroupedQuery
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge, Periods
from vumeter_server.custom_metrics.sqlite.cache.view import View
from vumeter_server.custom_metrics.sqlite.query.day_spans import (
    DaySpan,
    edges_of_days,
    whole_days,
)
from vumeter_server.custom_metrics.sqlite.query.plan import MAX_EDGE_DAYS, SESSION, Source
from vumeter_server.custom_metrics.sqlite.rollups.compacted import LEVELS

EXTREMES = frozenset({Statistic.MIN, Statistic.MAX})
OF_ROLLUPS = frozenset({Statistic.SUM, Statistic.COUNT, Statistic.MEAN}) | EXTREMES
"""What rollups are enough for."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SourcePlan:
    """How one metric of a query, with its filters, is answered.

    Attributes:
        columns: the indexes of the query's columns that are answered from it.
        code: the metric's interned id; None if there is no such metric.
        matchers: the filters of the query and of the metric.
        statistics: what is computed.
        label: the one label that the filters and the grouping are about, if the source is
            LABEL_ROLLUPS.
        periods: the buckets over rollup intervals, if the source is INTERVALS.
        days: the whole days of the buckets, if they come from rollups.
        edges: what is outside of the whole days.
    """

    columns: tuple[int, ...]
    metric_name: str
    code: int | None
    matchers: tuple[Matcher, ...]
    statistics: frozenset[Statistic]
    source: Source
    label: str | None = None
    periods: Periods | None = None
    days: tuple[DaySpan, ...] = ()
    edges: tuple[Edge, ...] = ()

    @property
    def needs_extremes(self) -> bool:
        """Whether minima or maxima are asked for."""
        return not self.statistics.isdisjoint(EXTREMES)


def plan_grouped(query: GroupedQuery, view: View) -> list[SourcePlan]:
    """Decide how to answer each source of a query, in the order of its columns."""
    sources: dict[tuple[str, tuple[Matcher, ...]], list[int]] = {}
    for index, column in enumerate(query.columns):
        sources.setdefault((column.metric_name, tuple(column.filters)), []).append(index)
    return [
        _plan_source(query, view, metric_name, filters, tuple(columns))
        for (metric_name, filters), columns in sources.items()
    ]


def _plan_source(
    query: GroupedQuery,
    view: View,
    metric_name: str,
    filters: Sequence[Matcher],
    columns: tuple[int, ...],
) -> SourcePlan:
    statistics = frozenset(query.columns[index].function.statistic for index in columns)
    matchers = (*query.filters, *filters)
    bounds_us = np.array(query.bounds_us, np.int64)
    code = view.metrics.codes.get(metric_name)
    labels = {each.label for each in matchers} | set(query.group_by)
    source, label, periods = Source.POINTS, None, None
    days: tuple[DaySpan, ...] = ()
    edges: tuple[Edge, ...] = ()
    if code is None or bounds_us[0] >= bounds_us[-1]:
        source = Source.NOTHING
    elif code in view.metrics.distributed:
        # At the edges of intervals and days points are counted, not the values they hold.
        source = Source.POINTS
    elif statistics <= OF_ROLLUPS and not labels:
        periods = Periods.between(bounds_us)
        if len(periods.cut_days) <= MAX_EDGE_DAYS:
            source = Source.INTERVALS
    elif statistics <= OF_ROLLUPS and SESSION not in labels:
        days = whole_days(bounds_us)
        edges = edges_of_days(bounds_us, days)
        if days and len(edges) <= MAX_EDGE_DAYS:
            source, label = _rollups_by(labels, days)
    return SourcePlan(
        columns=columns,
        metric_name=metric_name,
        code=code,
        matchers=matchers,
        statistics=statistics,
        source=source,
        label=label,
        periods=periods if source is Source.INTERVALS else None,
        days=() if source is Source.POINTS else days,
        edges=() if source is Source.POINTS else edges,
    )


def _rollups_by(labels: set[str], days: tuple[DaySpan, ...]) -> tuple[Source, str | None]:
    if len(labels) == 1:
        return Source.LABEL_ROLLUPS, next(iter(labels))
    # Those by label set hold several days, which have to be in one bucket.
    is_long = any(span.end - span.first >= LEVELS[0] for span in days)
    return (Source.COMPACTED if is_long else Source.POINTS), None
