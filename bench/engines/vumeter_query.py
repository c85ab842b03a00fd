"""Q10 to Q13 as the product is asked, and its rows as an answer."""

from __future__ import annotations

from decimal import Decimal

from bench.asks import Ask, Kind
from bench.functions import CONVERSION, PERCENTS, TOP, Answer
from vumeter_server.custom_metrics.metric_query import MetricRequest, QueryFunction, QueryRequest
from vumeter_server.custom_metrics.query_metrics import QueryRows
from vumeter_server.times.buckets import CalendarUnit
from vumeter_server.times.ranges import TimeRange
from vumeter_server.times.units import DAY_US
from vumeter_server.times.zones import find_zone

_FUNCTIONS = (QueryFunction.MEAN, QueryFunction.MIN, QueryFunction.MAX, QueryFunction.COUNT)


def query_request(ask: Ask) -> QueryRequest:
    """Return the request of an ask."""
    match ask.kind:
        case Kind.PERCENTILES:
            metrics = [
                _column(ask, QueryFunction.PERCENTILE, f"p{each}", Decimal(each))
                for each in PERCENTS
            ]
        case Kind.FUNCTIONS:
            metrics = [_column(ask, each, each.value) for each in _FUNCTIONS]
        case Kind.CONVERSION:
            metrics = [
                MetricRequest(name=name, metric=name, function=QueryFunction.SUM)
                for name in CONVERSION
            ]
        case _:
            metrics = [_column(ask, QueryFunction.SESSIONS, "sessions")]
    is_top = ask.kind is Kind.CONVERSION
    return QueryRequest(
        time_range=TimeRange(start_us=ask.start_us, end_us=ask.end_us),
        zone=find_zone(None),
        step=None if is_top else CalendarUnit.DAY if ask.step_us == DAY_US else ask.step_us,
        metrics=metrics,
        formulas=[("share", f"{CONVERSION[1]} / {CONVERSION[0]}")] if is_top else [],
        group_by=ask.group_by,
        limit=TOP if is_top else None,
        other=is_top,
    )


def _column(
    ask: Ask, function: QueryFunction, name: str, percent: Decimal | None = None
) -> MetricRequest:
    return MetricRequest(name=name, metric=ask.metric_name, function=function, percent=percent)


def answer_of_query(ask: Ask, rows: QueryRows) -> Answer:
    """Return rows as an answer."""
    buckets = ((rows.starts_us - ask.start_us) // ask.step_us).tolist()
    groups = [None if each is None else each[0] if each else "" for each in rows.labels]
    values = map(tuple, rows.values.tolist())
    return dict(zip(zip(buckets, groups, strict=True), values, strict=True))
