"""Messages of queries and of DeletePoints to what the core takes; the rows of QueryMetrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Final, TypeVar

import numpy as np

from vumeter.custom_metrics.v1 import custom_metrics_pb2, deletion_pb2
from vumeter.custom_metrics.v1 import query_pb2 as pb
from vumeter_server.api.times import duration_us, instant_us, timestamp
from vumeter_server.custom_metrics.deletion import DeleteRequest
from vumeter_server.custom_metrics.labels import (
    check_group_by,
    check_metric_names,
    check_tags,
    label_filter,
)
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.metric_query import (
    MAX_DAYS_EARLIER,
    Fill,
    MetricRequest,
    QueryFunction,
    QueryRequest,
)
from vumeter_server.custom_metrics.query import SumRequest
from vumeter_server.custom_metrics.query_metrics import QueryRows
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.buckets import CalendarUnit, Step
from vumeter_server.times.ranges import TimeRange, check_range
from vumeter_server.times.zones import find_zone

E = TypeVar("E", bound=Enum)

QUERY_FIELD_NAMES: Final = {"value": "values", "step": "duration"}
"""Where these messages spell a field otherwise than the core, beside those of all methods."""

# The numbers are the proto's own; an unspecified one stands for nothing where nothing may be given.
_UNITS: Final = {getattr(pb, f"CALENDAR_UNIT_{unit.name}"): unit for unit in CalendarUnit}
_FUNCTIONS: Final = {getattr(pb, f"QUERY_FUNCTION_{each.name}"): each for each in QueryFunction}
_OPERATORS: Final = {getattr(pb, f"LABEL_OPERATOR_{each.name}"): each for each in Operator}
_FILLS: Final[Mapping[int, Fill]] = {
    pb.QUERY_FILL_UNSPECIFIED: Fill.NONE,
    pb.QUERY_FILL_NULL: Fill.NULL,
    pb.QUERY_FILL_ZERO: Fill.ZERO,
}


def range_of(selection: custom_metrics_pb2.Selection) -> TimeRange:
    """Return the range of a selection."""
    bounds = []
    for field in ("start_time", "end_time"):
        if not selection.HasField(field):
            raise InvalidArgument.of(f"selection.{field}", "must be given")
        bounds.append(instant_us(getattr(selection, field), f"selection.{field}"))
    return check_range(bounds[0], bounds[1], "selection.end_time")


def filters_of(selection: custom_metrics_pb2.Selection) -> tuple[tuple[str, str], ...]:
    """Return the labels of a selection."""
    return label_filter(
        check_tags(selection.tags, "selection.tags"),
        agent_id=selection.agent_id,
        environment_id=selection.environment_id,
        within="selection.",
    )


def sum_request(
    request: custom_metrics_pb2.AggregateMetricsRequest
    | custom_metrics_pb2.ListDailyMetricsRequest,
) -> SumRequest:
    """Return which sums a request asks for."""
    return SumRequest(
        time_range=range_of(request.selection),
        filters=filters_of(request.selection),
        metric_names=check_metric_names(request.metric_names),
        group_by=check_group_by(request.group_by),
    )


def read_query(request: pb.QueryMetricsRequest) -> QueryRequest:
    """Return what a request asks for; raises InvalidArgument naming what cannot be read."""
    return QueryRequest(
        time_range=_time_range(request),
        zone=find_zone(request.time_zone),
        step=_step(request),
        metrics=[_metric(each, f"metrics[{i}]") for i, each in enumerate(request.metrics)],
        formulas=[(each.as_, each.expression) for each in map(_Named, request.formulas)],
        filters=_matchers(request.filters, "filters"),
        group_by=request.group_by,
        order_by=request.order_by,
        limit=request.limit if request.HasField("limit") else None,
        other=request.other,
        fill=_member(_FILLS, request.fill, "fill"),
        compare_to=_comparison(request),
    )


def read_deletion(request: deletion_pb2.DeletePointsRequest) -> DeleteRequest:
    """Return what to delete; raises InvalidArgument naming what cannot be read."""
    start_us, end_us, metric_names, filters = asked_points(request)
    return DeleteRequest(
        start_us=start_us,
        end_us=end_us,
        metric_names=metric_names,
        filters=filters,
        dry_run=request.dry_run,
    )


def asked_points(
    request: deletion_pb2.DeletePointsRequest | custom_metrics_pb2.ExportPointsRequest,
) -> tuple[int | None, int | None, Sequence[str], list[Matcher]]:
    """Return the start, the end, the metrics and the filters of a request."""
    start_us, end_us = (
        instant_us(getattr(request, field), field) if request.HasField(field) else None
        for field in ("start_time", "end_time")
    )
    return start_us, end_us, request.metric_names, _matchers(request.filters, "filters")


def write_rows(rows: QueryRows) -> pb.QueryMetricsResponse:
    """Return the rows of an answer as messages."""
    counted = rows.names[: rows.metrics]
    written = []
    columns = (rows.starts_us.tolist(), rows.ends_us.tolist(), rows.labels, rows.counts.tolist())
    for row, (start_us, end_us, labels, counts) in enumerate(zip(*columns, strict=True)):
        written.append(
            pb.QueryRow(
                start_time=timestamp(start_us),
                end_time=timestamp(end_us),
                labels=dict(zip(rows.group_by, labels or (), strict=labels is not None)),
                is_other=labels is None,
                values=_there(rows.names, rows.values[row].tolist()),
                counts=dict(zip(counted, counts, strict=True)),
                previous=None
                if rows.previous is None
                else _there(rows.names, rows.previous[row].tolist()),
                max_error=rows.errors_of(row),
            )
        )
    return pb.QueryMetricsResponse(rows=written, groups=rows.groups)


class _Named:
    """A column, whose field `as` is a keyword of Python."""

    def __init__(self, column: pb.MetricColumn | pb.FormulaColumn) -> None:
        self._column = column

    @property
    def as_(self) -> str:
        return str(getattr(self._column, "as"))

    @property
    def expression(self) -> str:
        return str(getattr(self._column, "expression", ""))


def _time_range(request: pb.QueryMetricsRequest) -> TimeRange:
    bounds = []
    for field in ("start_time", "end_time"):
        if not request.HasField(field):
            raise InvalidArgument.of(field, "must be given")
        bounds.append(instant_us(getattr(request, field), field))
    return check_range(bounds[0], bounds[1], "end_time")


def _step(request: pb.QueryMetricsRequest) -> Step:
    match request.WhichOneof("step"):
        case "duration":
            return duration_us(request.duration, "duration")
        case "calendar_unit":
            return _member(_UNITS, request.calendar_unit, "calendar_unit")
    return None


def _metric(column: pb.MetricColumn, field: str) -> MetricRequest:
    percent = None
    if column.HasField("percentile"):
        if not np.isfinite(column.percentile):
            raise InvalidArgument.of(f"{field}.percentile", "must be a finite number")
        percent = Decimal(repr(column.percentile))
    return MetricRequest(
        name=_Named(column).as_,
        metric=column.metric,
        function=_member(_FUNCTIONS, column.function, f"{field}.function"),
        percent=percent,
        filters=_matchers(column.filters, f"{field}.filters"),
    )


def _matchers(filters: Iterable[pb.LabelFilter], field: str) -> list[Matcher]:
    found = []
    for index, each in enumerate(filters):
        operator = _member(_OPERATORS, each.operator, f"{field}[{index}].operator")
        values = tuple(each.values)
        if not operator.is_list and len(values) != 1:
            raise InvalidArgument.of(f"{field}[{index}].values", "must hold exactly one value")
        found.append(Matcher(each.label, operator, values))
    return found


def _comparison(request: pb.QueryMetricsRequest) -> str:
    if not request.HasField("compare_to"):
        return ""
    days = request.compare_to.days_earlier
    if days < 0:
        raise InvalidArgument.of("compare_to.days_earlier", "must not be negative")
    if days > MAX_DAYS_EARLIER:
        raise InvalidArgument.of("compare_to.days_earlier", f"must be at most {MAX_DAYS_EARLIER:,}")
    return f"{days}d" if days else "previous"


def _member(members: Mapping[int, E], number: int, field: str) -> E:
    if number not in members:
        raise InvalidArgument.of(field, "must be one of the enum's values, and not unspecified")
    return members[number]


def _there(names: list[str], values: list[float]) -> dict[str, float]:
    """Return the values that are there; NaN stands for none."""
    return {name: value for name, value in zip(names, values, strict=True) if value == value}  # noqa: PLR0124
