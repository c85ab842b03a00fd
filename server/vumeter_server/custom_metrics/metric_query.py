"""A query of metrics, checked: functions by group and bucket, with formulas, order and comparison.

Both APIs make a `MetricQuery` of what they were sent; fields are spelled as in the proto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.formulas import Formula, parse_formula
from vumeter_server.custom_metrics.labels import MAX_METRIC_NAME, check_group_by, check_length
from vumeter_server.custom_metrics.matchers import Matcher, check_matchers
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.buckets import Step
from vumeter_server.times.ranges import TimeRange

MAX_METRICS: Final = 20
MAX_FORMULAS: Final = 20
MAX_GROUPS: Final = 1_000
MAX_NAME: Final = 64
MAX_DAYS_EARLIER: Final = 3_660
_NAME: Final = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_]{{0,{MAX_NAME - 1}}}")
_DAYS_EARLIER: Final = re.compile(r"([1-9][0-9]{0,3})([dw])")


class QueryFunction(Enum):
    """What is computed of the values recorded in a bucket and group."""

    SUM = "sum"
    COUNT = "count"
    RATE = "rate"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LAST = "last"
    PERCENTILE = "percentile"
    SESSIONS = "sessions"

    @property
    def is_zero_without_points(self) -> bool:
        """Whether `fill: zero` gives 0 where there is nothing."""
        return self in (
            QueryFunction.SUM,
            QueryFunction.COUNT,
            QueryFunction.RATE,
            QueryFunction.SESSIONS,
        )


_KINDS: Final[Mapping[QueryFunction, Statistic]] = {
    QueryFunction.SUM: Statistic.SUM,
    QueryFunction.COUNT: Statistic.COUNT,
    QueryFunction.RATE: Statistic.SUM,
    QueryFunction.MEAN: Statistic.MEAN,
    QueryFunction.MIN: Statistic.MIN,
    QueryFunction.MAX: Statistic.MAX,
    QueryFunction.LAST: Statistic.LAST,
    QueryFunction.PERCENTILE: Statistic.PERCENTILE,
    QueryFunction.SESSIONS: Statistic.SESSIONS,
}


class Fill(Enum):
    """Which rows there are beside those in which some metric has a value."""

    NONE = ""
    NULL = "null"
    ZERO = "zero"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricColumn:
    """One function of one metric, and the name of its column."""

    name: str
    metric: str
    function: QueryFunction
    percent: Fraction | None = None
    filters: tuple[Matcher, ...] = ()

    @property
    def of_points(self) -> Function:
        """What a store computes; a rate is a sum until it is divided by time."""
        return Function(_KINDS[self.function], self.percent or 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class FormulaColumn:
    """A formula over the metrics' columns."""

    name: str
    formula: Formula


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierRange:
    """What each bucket is compared with: `days` local days earlier, 0 for the range before."""

    days: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricQuery:
    """A checked query.

    Attributes:
        order_by: the index of the column to order rows by, metrics first, then formulas.
        is_descending: whether the greatest value comes first.
        limit: how many groups are listed, None for all.
        has_rest: whether the other groups are put together in one.
    """

    time_range: TimeRange
    zone: ZoneInfo
    step: Step
    metrics: tuple[MetricColumn, ...]
    formulas: tuple[FormulaColumn, ...] = ()
    filters: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    order_by: int = 0
    is_descending: bool = True
    limit: int | None = None
    has_rest: bool = False
    fill: Fill = Fill.NONE
    comparison: EarlierRange | None = None

    @property
    def names(self) -> list[str]:
        """The names of the columns: of the metrics, then of the formulas."""
        return [*(each.name for each in self.metrics), *(each.name for each in self.formulas)]


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricRequest:
    """One metric of a query as it was sent; `percent` is the decimal as written."""

    name: str
    metric: str
    function: QueryFunction
    percent: Decimal | None = None
    filters: Sequence[Matcher] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryRequest:
    """A query as it was sent, before it is checked; "" and () are the same as absent."""

    time_range: TimeRange
    zone: ZoneInfo
    step: Step = None
    metrics: Sequence[MetricRequest] = ()
    formulas: Sequence[tuple[str, str]] = ()
    filters: Sequence[Matcher] = ()
    group_by: Sequence[str] = ()
    order_by: str = ""
    limit: int | None = None
    other: bool = False
    fill: Fill = Fill.NONE
    compare_to: str = ""


def check_query(request: QueryRequest) -> MetricQuery:
    """Check what was sent; raises InvalidArgument naming the first field that is wrong."""
    if not 1 <= len(request.metrics) <= MAX_METRICS:
        raise InvalidArgument.of("metrics", f"must hold 1 to {MAX_METRICS} metrics")
    if len(request.formulas) > MAX_FORMULAS:
        raise InvalidArgument.of("formulas", f"must hold at most {MAX_FORMULAS} formulas")
    metrics = [_metric(each, f"metrics[{index}]") for index, each in enumerate(request.metrics)]
    names = [each.name for each in metrics]
    formulas = [
        FormulaColumn(
            name=name, formula=parse_formula(text, names, f"formulas[{index}].expression")
        )
        for index, (name, text) in enumerate(request.formulas)
    ]
    _check_names(names, [name for name, _ in request.formulas])
    if request.limit is not None and not 1 <= request.limit <= MAX_GROUPS:
        raise InvalidArgument.of("limit", f"must be a whole number from 1 to {MAX_GROUPS:,}")
    order_by, is_descending = _order(request.order_by, [*names, *(n for n, _ in request.formulas)])
    return MetricQuery(
        time_range=request.time_range,
        zone=request.zone,
        step=request.step,
        metrics=tuple(metrics),
        formulas=tuple(formulas),
        filters=check_matchers(request.filters, "filters"),
        group_by=check_group_by(request.group_by),
        order_by=order_by,
        is_descending=is_descending,
        limit=request.limit,
        has_rest=request.other and request.limit is not None,
        fill=request.fill,
        comparison=_comparison(request.compare_to),
    )


def _metric(request: MetricRequest, field_name: str) -> MetricColumn:
    if not request.metric:
        raise InvalidArgument.of(f"{field_name}.metric", "must be the name of a metric")
    check_length(request.metric, f"{field_name}.metric", MAX_METRIC_NAME)
    if request.function is QueryFunction.PERCENTILE:
        percent = request.percent
        if percent is None or not 0 < percent <= 100:
            raise InvalidArgument.of(
                f"{field_name}.percentile", "must be a number above 0 and up to 100"
            )
    elif request.percent is not None:
        raise InvalidArgument.of(
            f"{field_name}.percentile", "must not be given but with the function percentile"
        )
    return MetricColumn(
        name=request.name,
        metric=request.metric,
        function=request.function,
        percent=None if request.percent is None else Fraction(request.percent),
        filters=check_matchers(request.filters, f"{field_name}.filters"),
    )


def _check_names(metrics: Sequence[str], formulas: Sequence[str]) -> None:
    seen: set[str] = set()
    for kind, names in (("metrics", metrics), ("formulas", formulas)):
        for index, name in enumerate(names):
            if not _NAME.fullmatch(name):
                raise InvalidArgument.of(
                    f"{kind}[{index}].as",
                    f"must be letters, digits and _, not a digit first, at most {MAX_NAME}",
                )
            if name in seen:
                raise InvalidArgument.of(f"{kind}[{index}].as", "must not be used twice")
            seen.add(name)


def _order(text: str, names: Sequence[str]) -> tuple[int, bool]:
    if not text:
        return 0, True
    name = text.removeprefix("-")
    if name not in names:
        raise InvalidArgument.of(
            "order_by", "must be the `as` of a metric or formula, or - and that"
        )
    return names.index(name), text.startswith("-")


def _comparison(text: str) -> EarlierRange | None:
    if not text:
        return None
    if text == "previous":
        return EarlierRange()
    found = _DAYS_EARLIER.fullmatch(text)
    days = int(found[1]) * (7 if found[2] == "w" else 1) if found else 0
    if not 0 < days <= MAX_DAYS_EARLIER:
        raise InvalidArgument.of(
            "compare_to",
            f"must be previous, or up to {MAX_DAYS_EARLIER:,} days such as 7d or 4w",
        )
    return EarlierRange(days=days)
