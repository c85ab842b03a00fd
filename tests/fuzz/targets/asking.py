"""Queries: bodies, messages and parameters, with their filters, formulas, times and ranges."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import numpy as np
from google.api.httpbody_pb2 import HttpBody
from tests.fuzz.targets.recording import MESSAGES, body_seeds, message_seeds
from tests.fuzz.targets.target import Target, as_json

from vumeter.custom_metrics.v1 import custom_metrics_pb2, deletion_pb2, query_pb2
from vumeter_server.api import json_body
from vumeter_server.api.page_tokens import asked_page, resume_token
from vumeter_server.api.times import END_SECOND, FIRST_SECOND
from vumeter_server.custom_metrics import grpc_messages
from vumeter_server.custom_metrics.asked_points import AskedPoints, check_points, in_words
from vumeter_server.custom_metrics.deletion import DeleteRequest
from vumeter_server.custom_metrics.formulas import parse_formula
from vumeter_server.custom_metrics.grpc_query import (
    read_deletion,
    read_query,
    sum_request,
    write_rows,
)
from vumeter_server.custom_metrics.labels import (
    label_filter,
    parse_group_by,
    parse_metric_names,
    parse_tags,
)
from vumeter_server.custom_metrics.matchers import Matcher, Operator, check_matchers
from vumeter_server.custom_metrics.metric_query import MetricQuery, QueryRequest, check_query
from vumeter_server.custom_metrics.query_body import (
    DeleteBody,
    QueryBody,
    delete_request,
    query_request,
)
from vumeter_server.custom_metrics.query_metrics import QueryRows, query_metrics
from vumeter_server.custom_metrics.query_rendering import render_query, render_query_csv
from vumeter_server.custom_metrics.questions import Grouped
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.ranges import count_buckets, day_bounds, parse_range
from vumeter_server.times.rfc3339 import format_rfc3339, read_rfc3339
from vumeter_server.times.steps import parse_step
from vumeter_server.times.units import SECOND_US
from vumeter_server.times.zones import find_zone

NAMES: Final = ("a", "b", "attempts")
# Years of buckets of a second are asked for in a moment, and answered in many.
MOST_BUCKETS: Final = 3_000


class _EmptyStore:
    """Answers queries of metrics as an organization without points does."""

    async def at_one_moment(self, organization_id: int, rows: Callable[..., Any]) -> Any:
        return rows(_empty)


def _empty(asked: Any) -> Grouped:
    width = len(asked.columns)
    return Grouped(
        types=[None] * width,
        labels=[],
        buckets=np.empty(0, np.int64),
        groups=np.empty(0, np.int64),
        values=np.empty((0, width)),
        counts=np.empty((0, width), np.int64),
    )


def _result(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")


def _answered(request: QueryRequest) -> tuple[MetricQuery, QueryRows]:
    query = check_query(request)
    for matcher in query.filters:
        matcher.matches("turns")
    store: Any = _EmptyStore()
    return query, _result(query_metrics(store, 1, query))


def _query_body(data: bytes) -> object:
    query, rows = _answered(query_request(json_body.decode(HttpBody(data=data), QueryBody)))
    if len(rows.values) > MOST_BUCKETS:
        return rows
    return render_query(rows, query.zone), render_query_csv(rows, query.zone)


def _query_message(data: bytes) -> object:
    _, rows = _answered(read_query(query_pb2.QueryMetricsRequest.FromString(data)))
    return write_rows(rows) if len(rows.values) <= MOST_BUCKETS else rows


def _deletion(request: DeleteRequest) -> object:
    asked = AskedPoints(
        start_us=request.start_us,
        end_us=request.end_us,
        metric_names=request.metric_names,
        filters=request.filters,
    )
    return check_points(asked), in_words(asked)


def _delete_body(data: bytes) -> object:
    return _deletion(delete_request(json_body.decode(HttpBody(data=data), DeleteBody)))


def _delete_message(data: bytes) -> object:
    return _deletion(read_deletion(deletion_pb2.DeletePointsRequest.FromString(data)))


def _daily_message(data: bytes) -> object:
    request = custom_metrics_pb2.ListDailyMetricsRequest.FromString(data)
    asked_page(request, (int, str, ...), most=1_000)
    asked = sum_request(request)
    return day_bounds(asked.time_range, find_zone(request.time_zone))


def _export_message(data: bytes) -> object:
    request = custom_metrics_pb2.ExportPointsRequest.FromString(data)
    return grpc_messages.read_export(request, resume_token(request, (int, int)))


def _formula(data: bytes) -> object:
    formula = parse_formula(data.decode(errors="replace"), NAMES, "formulas[0].expression")
    values = {name: np.array([0.0, np.nan, -1e308, 7.5]) for name in NAMES}
    found = formula.evaluate(values, 4)
    assert not np.isinf(found).any()
    return found


def _parameters(data: bytes) -> object:
    """Read the parameters of `GET` paths: texts, one after another."""
    given = [*data.decode(errors="replace").split("\n"), *[""] * 7]
    start, end, zone, step, tags, group_by, names = given[:7]
    label_filter(parse_tags(tags), agent_id=names)
    parse_group_by(group_by)
    parse_metric_names(names)
    asked = parse_range(start, end, zone)
    count_buckets(asked, parse_step(step, default="1h"))
    return day_bounds(asked, find_zone(zone))


def _matchers(data: bytes) -> object:
    """Read a filter: label, operator and value, one after another."""
    given = [*data.decode(errors="replace").split("\n", 2), *[""] * 3]
    operators = {each.value: each for each in Operator}
    operator = operators.get(given[1], Operator.MATCHES)
    checked = check_matchers([Matcher(given[0], operator, (given[2],))], "filters")
    return [checked[0].matches(value) for value in ("", "a", "ü€😀\n", "a" * 256)]


def _time(data: bytes) -> object:
    text = data.decode(errors="replace")
    instant_us = read_rfc3339(text)
    if instant_us is not None and FIRST_SECOND <= instant_us // SECOND_US < END_SECOND:
        # What is read is printed so that it is read again.
        assert read_rfc3339(format_rfc3339(instant_us)) == instant_us
    return instant_us


def _texts(*texts: Sequence[str]) -> list[bytes]:
    return ["\n".join(each).encode() for each in texts]


_RANGE: Final = ("2025-04-01", "2025-05-01T12:30:00.5+02:00", "Asia/Singapore", "1h30m")
_QUERY: Final = {
    "startDate": "2025-04-01",
    "endDate": "2025-05-01",
    "timezone": "Europe/Berlin",
    "step": "week",
    "metrics": [
        {"as": "p", "metric": "m", "function": "percentile", "percentile": 99.9},
        {
            "as": "n",
            "metric": "m",
            "function": "count",
            "filters": [{"label": "x", "op": "in", "values": ["1", "2"]}],
        },
    ],
    "formulas": [{"as": "f", "expression": "p / (n + -1.5e3)"}],
    "filters": [{"label": "agent_id", "op": "=~", "value": "(a|b).*"}],
    "groupBy": ["agent_id"],
    "orderBy": "-f",
    "limit": 10,
    "other": True,
    "fill": "zero",
    "compareTo": "7d",
}

TARGETS: Final = {
    "query_body": Target(
        read=_query_body,
        seeds=lambda: [*body_seeds("/v1/custom-metrics/query"), *as_json(_QUERY)],
        allowed=(InvalidArgument,),
    ),
    "query_message": Target(
        read=_query_message, seeds=lambda: message_seeds("QueryMetrics"), allowed=MESSAGES
    ),
    "delete_body": Target(
        read=_delete_body,
        seeds=lambda: body_seeds("/v1/custom-metrics/delete"),
        allowed=(InvalidArgument,),
    ),
    "delete_message": Target(
        read=_delete_message, seeds=lambda: message_seeds("DeletePoints"), allowed=MESSAGES
    ),
    "daily_message": Target(
        read=_daily_message, seeds=lambda: message_seeds("ListDailyMetrics"), allowed=MESSAGES
    ),
    "export_message": Target(
        read=_export_message, seeds=lambda: message_seeds("ExportPoints"), allowed=MESSAGES
    ),
    "formula": Target(
        read=_formula,
        seeds=lambda: [b"a / (b + -1.5e3) * attempts", b"-(-a)", b"1 - 2 - 3"],
        allowed=(InvalidArgument,),
    ),
    "parameters": Target(
        read=_parameters,
        seeds=lambda: _texts(
            (*_RANGE, '{"a": 1.50, "b": true, "c": "x"}', "agent_id, topic", "turns,calls"),
            ("0001-01-01", "9999-12-31T23:59:59Z", "America/New_York", "1d", "", "", ""),
        ),
        allowed=(InvalidArgument,),
    ),
    "matchers": Target(
        read=_matchers,
        seeds=lambda: _texts(("agent_id", "=~", "(a+)+$"), ("topic", "!=", "x"), ("a", "in", "b")),
        allowed=(InvalidArgument,),
    ),
    "time": Target(
        read=_time,
        seeds=lambda: [b"2025-04-01T10:00:00Z", b"0001-01-01t00:00:00.123456789+23:59"],
        allowed=(),
    ),
}
