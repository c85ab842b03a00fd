"""The bodies of `POST /v1/custom-metrics/query` and `/delete`, read strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Final, TypeVar

import msgspec

from vumeter_server.custom_metrics.deletion import DeleteRequest
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.metric_query import (
    Fill,
    MetricRequest,
    QueryFunction,
    QueryRequest,
)
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.buckets import CalendarUnit, Step
from vumeter_server.times.ranges import parse_instant, parse_range
from vumeter_server.times.steps import read_step
from vumeter_server.times.zones import find_zone

Unset = msgspec.UnsetType
UNSET: Final = msgspec.UNSET
E = TypeVar("E", bound=Enum)
MAX_DIGITS: Final = 30

QUERY_FIELD_NAMES: Final[Mapping[str, str]] = {
    "start_date": "startDate",
    "end_date": "endDate",
    "group_by": "groupBy",
    "order_by": "orderBy",
    "compare_to": "compareTo",
}


class FilterBody(msgspec.Struct, forbid_unknown_fields=True):
    """A filter: `value` for all operators but `in` and `not in`, which have `values`."""

    label: str
    op: str
    value: str | Unset = UNSET
    values: list[str] | Unset = UNSET


class MetricBody(msgspec.Struct, forbid_unknown_fields=True):
    """One function of one metric."""

    metric: str
    function: str
    name: str = msgspec.field(name="as")
    # As it is written, since a double would round it.
    percentile: msgspec.Raw | Unset = UNSET
    filters: list[FilterBody] | Unset = UNSET


class FormulaBody(msgspec.Struct, forbid_unknown_fields=True):
    """A formula over the metrics."""

    expression: str
    name: str = msgspec.field(name="as")


class QueryBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The whole body."""

    start_date: str
    end_date: str
    metrics: list[MetricBody]
    timezone: str | Unset = UNSET
    step: str | Unset = UNSET
    formulas: list[FormulaBody] | Unset = UNSET
    filters: list[FilterBody] | Unset = UNSET
    group_by: list[str] | Unset = UNSET
    order_by: str | Unset = UNSET
    limit: int | Unset = UNSET
    other: bool | Unset = UNSET
    fill: str | Unset = UNSET
    compare_to: str | Unset = UNSET


class DeleteBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which points to delete."""

    start_date: str | Unset = UNSET
    end_date: str | Unset = UNSET
    timezone: str | Unset = UNSET
    metric_names: list[str] | Unset = UNSET
    filters: list[FilterBody] | Unset = UNSET
    dry_run: bool | Unset = UNSET


def delete_request(body: DeleteBody) -> DeleteRequest:
    """Return what a body asks for; raises InvalidArgument naming the field that cannot be read."""
    zone = find_zone(body.timezone or None)
    bounds = [
        None if isinstance(text, Unset) else parse_instant(text, zone, field)
        for text, field in ((body.start_date, "start_date"), (body.end_date, "end_date"))
    ]
    return DeleteRequest(
        start_us=bounds[0],
        end_us=bounds[1],
        metric_names=body.metric_names or (),
        filters=_matchers(body.filters or (), "filters"),
        dry_run=body.dry_run is True,
    )


def query_request(body: QueryBody) -> QueryRequest:
    """Return what a body asks for; raises InvalidArgument naming the field that cannot be read."""
    return QueryRequest(
        time_range=parse_range(body.start_date, body.end_date, body.timezone or None),
        zone=find_zone(body.timezone or None),
        step=_step(body.step or ""),
        metrics=[_metric(each, f"metrics[{i}]") for i, each in enumerate(body.metrics)],
        formulas=[(each.name, each.expression) for each in body.formulas or ()],
        filters=_matchers(body.filters or (), "filters"),
        group_by=body.group_by or (),
        order_by=body.order_by or "",
        limit=None if isinstance(body.limit, Unset) else body.limit,
        other=body.other is True,
        fill=_member(Fill, body.fill or "", "fill"),
        compare_to=body.compare_to or "",
    )


def _step(text: str) -> Step:
    if not text:
        return None
    if text in {unit.value for unit in CalendarUnit}:
        return CalendarUnit(text)
    step_us = read_step(text)
    if step_us is None:
        raise InvalidArgument.of(
            "step", "must be a duration such as 30s or 1h, or day, week, month, quarter or year"
        )
    return step_us


def _metric(body: MetricBody, field: str) -> MetricRequest:
    return MetricRequest(
        name=body.name,
        metric=body.metric,
        function=_member(QueryFunction, body.function, f"{field}.function"),
        percent=_percent(body.percentile, f"{field}.percentile"),
        filters=_matchers(body.filters or (), f"{field}.filters"),
    )


def _percent(written: msgspec.Raw | Unset, field: str) -> Decimal | None:
    if isinstance(written, Unset):
        return None
    text = bytes(written).decode()
    if text == "null":
        raise InvalidArgument.of(field, "must not be null", as_sent=True)
    if not text.lstrip("-")[:1].isdecimal():
        raise InvalidArgument.of(field, "must be a number", as_sent=True)
    # Exact arithmetic on more digits would take as long as the caller likes.
    exponent = text.lower().partition("e")[2].lstrip("+-")
    if len(text) > MAX_DIGITS or len(exponent) > 2:
        raise InvalidArgument.of(field, f"must have at most {MAX_DIGITS} digits", as_sent=True)
    return Decimal(text)


def _matchers(bodies: Sequence[FilterBody], field: str) -> list[Matcher]:
    return [_matcher(body, f"{field}[{index}]") for index, body in enumerate(bodies)]


def _matcher(body: FilterBody, field: str) -> Matcher:
    operator = _member(Operator, body.op, f"{field}.op")
    value, values = body.value, body.values
    if operator.is_list:
        if not isinstance(value, Unset):
            raise InvalidArgument.of(f"{field}.value", f"must not be given with {body.op}")
        if isinstance(values, Unset):
            raise InvalidArgument.of(f"{field}.values", f"must be given with {body.op}")
        return Matcher(body.label, operator, tuple(values))
    if not isinstance(values, Unset):
        raise InvalidArgument.of(f"{field}.values", f"must not be given with {body.op}")
    if isinstance(value, Unset):
        raise InvalidArgument.of(f"{field}.value", f"must be given with {body.op}")
    return Matcher(body.label, operator, (value,))


def _member(kind: type[E], text: str, field: str) -> E:
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind if each.value)
        raise InvalidArgument.of(field, f"must be one of {known}") from None
