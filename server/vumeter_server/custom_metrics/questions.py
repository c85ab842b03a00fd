"""What is asked of a store of custom metrics, and what it answers.

Times are microseconds since the epoch; ranges are half-open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.aggregation import (
    MAX_CELLS,
    OF_BUCKETS,
    Function,
    Functions,
    Statistic,
)
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.model import Batch, MetricType

END_OF_TIME_US: Final = 2**62
"""Later than any point."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Points with start_us <= time < end_us and all of these labels.

    `filters` are pairs of a label, `agent_id`, `environment_id` or `session_id` and its value; ""
    matches points without it. A label with two values matches nothing.
    """

    start_us: int
    end_us: int
    filters: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SumQuery:
    """Asks for sums by group, and by period if `bounds_us` is given.

    Attributes:
        metric_names: distinct names; None asks for every metric with a point in the selection.
        group_by: labels, `agent_id`, `environment_id` or `session_id`.
        bounds_us: ascending bounds of n periods, n + 1 of them, from the selection's start to its
            end. None is one period.
    """

    selection: Selection
    metric_names: Sequence[str] | None = None
    group_by: Sequence[str] = ()
    bounds_us: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sums:
    """One row per period and group with a point: in the order of periods if not grouped, else any.

    Attributes:
        metric_names: the metrics asked for, in the order asked for, else sorted.
        periods: int64[rows], the number of each row's period, from 0.
        groups: each row's label values, in the order of `group_by`; "" for points without a label.
        sums: float64[rows, metrics]; 0 where the row has no point of the metric.
        totals: float64[rows], the sum over all metrics asked for, rounded once as `sums` are.
    """

    metric_names: list[str]
    periods: npt.NDArray[np.int64]
    groups: list[tuple[str, ...]]
    sums: npt.NDArray[np.float64]
    totals: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeseriesQuery:
    """Asks for a function of one metric's values in buckets of `step_us`.

    Bucket k holds the points from `selection.start_us + k * step_us` on, up to the next bucket's or
    the selection's end. The caller does not know the metric's type, so `functions` says which
    function each type asks for: sums, means and percentiles, but not the last value.
    """

    selection: Selection
    metric_name: str
    step_us: int
    functions: Functions = OF_BUCKETS

    def __post_init__(self) -> None:
        functions = (self.functions.of(each) for each in MetricType)
        if any(function.statistic is Statistic.LAST for function in functions):
            raise ValueError("the last value is asked of sessions alone")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Timeseries:
    """The buckets with a point, in order.

    Attributes:
        type: the metric's; None if there is no such metric.
        buckets: int64[buckets], their numbers, from 0 at the selection's start.
        values: float64[buckets], the function that the query asks of the metric's type.
        counts: int64[buckets], how many values each was computed of.
        errors: float64[buckets], how far percentiles may be off; None if all are exact.
    """

    type: MetricType | None
    buckets: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    errors: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteQuery:
    """Says which points to delete: those in the range, of these metrics, that match all filters.

    `metric_names` is None for all metrics. Without bounds the range is all of time.
    """

    start_us: int = 0
    end_us: int = END_OF_TIME_US
    metric_names: Sequence[str] | None = None
    filters: Sequence[Matcher] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportQuery:
    """Says which points to export, as `DeleteQuery` does which to delete.

    The first `skip` of them are left out.
    """

    start_us: int = 0
    end_us: int = END_OF_TIME_US
    metric_names: Sequence[str] | None = None
    filters: Sequence[Matcher] = ()
    skip: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExportedPoints:
    """Some points of an export, at least one: each with its type, value and time.

    `progress` says about how much of what has to be read is read, above 0, at most 1.
    """

    batch: Batch
    progress: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionOfMetric:
    """One function of one metric's points that match its own filters, too."""

    metric_name: str
    function: Function
    filters: Sequence[Matcher] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupedQuery:
    """Asks for functions of metrics by group and bucket.

    Attributes:
        bounds_us: ascending bounds of n >= 1 buckets, n + 1 of them; points outside of the first
            and the last do not count.
        columns: what is computed.
        filters: what every point has to match.
        group_by: labels, `agent_id`, `environment_id` or `session_id`.
        groups: the groups that are listed, as label values in the order of `group_by`; None for
            all.
        has_rest: whether the points of all other groups are put together in one, the rest.
        max_cells: more rows x columns are InvalidArgument; None for no limit.
    """

    bounds_us: Sequence[int]
    columns: Sequence[FunctionOfMetric]
    filters: Sequence[Matcher] = ()
    group_by: Sequence[str] = ()
    groups: Sequence[tuple[str, ...]] | None = None
    has_rest: bool = False
    max_cells: int | None = MAX_CELLS


REST: Final = -1
"""Stands for the rest among the numbers of groups."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Grouped:
    """One row per bucket and group in which some column has a point, in any order.

    Attributes:
        types: each column's metric's; None if there is no such metric.
        labels: the label values of each group; "" for points without a label.
        buckets: int64[rows], from 0.
        groups: int64[rows], indexes of `labels`, or REST.
        values: float64[rows, columns], NaN where there is no point.
        counts: int64[rows, columns], of values; of sessions, the distinct ones.
        errors: float64[rows, columns], how far percentiles may be off; None if all are exact.
    """

    types: list[MetricType | None]
    labels: list[tuple[str, ...]]
    buckets: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    errors: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricInfo:
    """A metric; "" is a unit or description that nobody sent."""

    name: str
    type: MetricType
    unit: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TagValues:
    """The first values of one tag key, by code point; `truncated` if there are more."""

    values: list[str]
    truncated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TagValuesQuery:
    """Asks for the first `limit` pairs of a key and a value behind `after`.

    `metric_name`, `agent_id` and `key` narrow what is listed unless they are None; `prefix` is what
    values begin with.
    """

    metric_name: str | None
    agent_id: str | None
    key: str | None
    prefix: str
    after: tuple[str, str] | None
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionMetric:
    """What a session recorded of one metric with one label set.

    `labels` holds `agent_id` and `environment_id` too, but not `session_id`. `last_time_us` is the
    greatest timestamp, `count` the number of values, `error` how far a percentile may be off.
    """

    metric_name: str
    type: MetricType
    labels: Mapping[str, str]
    last_time_us: int
    value: float
    count: int
    error: float = 0.0
