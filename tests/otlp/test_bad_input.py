"""Bad input over gRPC, protobuf and JSON: exact answers, and nothing else is lost."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from google.rpc import code_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2 as typed
from tests.otlp.decoded import body_of
from tests.otlp.routes import NO_REQUEST, ROUTES, TAKEN, TYPES, Answered, Route, notes_of
from tests.otlp.sending import Sender

from vumeter.otlp.v1 import otlp_pb2

# Plain numbers and dictionaries make messages too, which the stubs do not know.
metrics_pb2: Any = typed
SECOND_NS = 1_000_000_000
MIB = 1024 * 1024
DELTA, CUMULATIVE = 1, 2


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest, sender: Sender) -> Route:
    return Route(sender, request.param)


def point(
    value: float = 1,
    ago: float = 0,
    start: float | None = 9,
    attributes: Mapping[str, str] | None = None,
) -> Any:
    now_ns = time.time_ns()
    made = metrics_pb2.NumberDataPoint(
        time_unix_nano=now_ns - int(ago * SECOND_NS),
        start_time_unix_nano=0 if start is None else now_ns - int(start * SECOND_NS),
        as_double=value,
    )
    for key, text in (attributes or {}).items():
        made.attributes.add(key=key).value.string_value = text
    return made


def counter(name: str, *points: Any, temporality: int = DELTA) -> Any:
    return metrics_pb2.Metric(
        name=name,
        sum={
            "data_points": points,
            "aggregation_temporality": temporality,
            "is_monotonic": True,
        },
    )


def gauge(name: str, *points: Any) -> Any:
    return metrics_pb2.Metric(name=name, gauge={"data_points": points})


def histogram(name: str, values: float) -> Any:
    now_ns = time.time_ns()
    made = metrics_pb2.Metric(name=name)
    made.histogram.aggregation_temporality = DELTA
    made.histogram.data_points.add(
        time_unix_nano=now_ns, count=1, sum=values, bucket_counts=[1, 0], explicit_bounds=[1_000]
    )
    return made


def neighbors() -> tuple[Any, Any]:
    """Metrics that are as they should be."""
    return counter("calls", point(3)), histogram("latency", 640)


def check_neighbors(route: Route, times: int = 1) -> None:
    """Check that the neighbors were recorded so often."""
    calls = route.sender.query("calls", "sum")[""]["values"]
    latency = route.sender.query("latency", "sum", "count")[""]["values"]
    assert (calls, latency) == ({"sum": 3 * times}, {"sum": 640 * times, "count": times})


without_time = point()
without_time.time_unix_nano = 0
without_value = point()
without_value.ClearField("value")
BAD: dict[str, tuple[Any, str]] = {
    "not a number": (counter("calls", point(float("nan"))), "must be a finite number"),
    "infinite": (counter("calls", point(float("-inf"))), "must be a finite number"),
    "beyond the range": (counter("calls", point(1e16)), "must be from -1e15 to 1e15"),
    "negative": (counter("calls", point(-1)), "must not be negative for a counter"),
    "time 0": (counter("calls", without_time), "must have a time"),
    "no value": (counter("calls", without_value), "must have a value"),
    "a type that changed": (
        gauge("calls", point(2)),
        "must be counter, as this metric was first recorded",
    ),
    "an unknown temporality": (
        counter("calls", point(2), temporality=0),
        "must have a temporality, delta or cumulative",
    ),
}


@pytest.mark.parametrize("place", ["before", "behind", "beside"])
@pytest.mark.parametrize(("bad", "problem"), BAD.values(), ids=BAD)
def test_a_bad_point_is_rejected_alone(route: Route, bad: Any, problem: str, place: str) -> None:
    calls, latency = neighbors()
    metrics = [calls, latency]
    if place == "beside" and bad.WhichOneof("data") == "sum" and "temporality" not in problem:
        calls.sum.data_points.insert(0, bad.sum.data_points[0])
    elif place == "before" and bad.WhichOneof("data") == "sum":
        metrics = [bad, *metrics]
    else:
        metrics.append(bad)
    assert route.export(*metrics) == Answered(code_pb2.OK, f"calls {problem}", 1)
    check_neighbors(route)
    found = route.sender.rejected()
    assert [(each.metric_name, each.problem) for each in found.latest] == [("calls", problem)]
    assert [each.points for each in found.counts] == [1]


def test_a_metric_keeps_its_type_in_later_requests(route: Route) -> None:
    assert route.export(*neighbors()) == TAKEN
    problem = "latency must be histogram, as this metric was first recorded"
    wrong = gauge("latency", point(1), point(2))
    said = Answered(code_pb2.OK, f"{problem}; and 1 more", 2)
    assert route.export(wrong, *neighbors()) == said
    check_neighbors(route, times=2)


def test_an_attribute_of_300_characters_is_cut(route: Route) -> None:
    text = "é" * 299 + "x"
    assert (
        route.export(counter("long", point(2, attributes={"topic": text})), *neighbors()) == TAKEN
    )
    shown = f"{'é' * 247}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    rows = route.sender.query("long", "sum", group="topic")
    assert {value: row["values"]["sum"] for value, row in rows.items()} == {shown: 2}
    assert notes_of(route.sender) == {"cut": 1}
    check_neighbors(route)


def test_of_40_attributes_32_are_kept(route: Route) -> None:
    many = {f"a{number:02}": "x" for number in range(40)}
    assert route.export(counter("many", point(2, attributes=many)), *neighbors()) == TAKEN
    assert route.sender.query("many", "sum", group="a31").keys() == {"x"}
    assert route.sender.query("many", "sum", group="a32").keys() == {""}
    assert notes_of(route.sender) == {"dropped_labels": 8}
    check_neighbors(route)


def test_a_cumulative_value_that_falls_adds_nothing(route: Route) -> None:
    start_ns = time.time_ns() - 60 * SECOND_NS
    for number, value in enumerate((5, 3, 4), 1):
        each = point(value, ago=10 - number)
        each.start_time_unix_nano = start_ns
        falling = counter("falls", each, temporality=CUMULATIVE)
        assert route.export(falling, *neighbors()) == TAKEN
    assert route.sender.query("falls", "sum")[""]["values"]["sum"] == 6
    assert notes_of(route.sender) == {"reset_guessed": 1}
    check_neighbors(route, times=3)


def test_a_cumulative_value_without_a_start_that_falls_starts_again(route: Route) -> None:
    for number, value in enumerate((5, 7, 3), 1):
        falling = counter("falls", point(value, 10 - number, None), temporality=CUMULATIVE)
        assert route.export(falling, *neighbors()) == TAKEN
    assert route.sender.query("falls", "sum")[""]["values"]["sum"] == 2 + 3
    assert notes_of(route.sender) == {"baseline": 1, "reset_guessed": 1}
    check_neighbors(route, times=3)


def spans() -> Any:
    request = trace_service_pb2.ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes(range(200, 216)), bytes(range(8))
    span.name, span.start_time_unix_nano = "turn", time.time_ns()
    return request


def logs() -> Any:
    request = logs_service_pb2.ExportLogsServiceRequest()
    request.MergeFromString(body_of("livekit-logs"))
    return request


NOT_METRICS = {
    "traces": spans,
    "logs": logs,
}


@pytest.mark.parametrize("other", NOT_METRICS.values(), ids=NOT_METRICS)
def test_what_is_of_another_signal_is_no_request(route: Route, other: Any) -> None:
    assert route.send(route.encoded(other())) == Answered(code_pb2.INVALID_ARGUMENT, NO_REQUEST)
    (counted,) = route.sender.rejected().counts
    assert counted.reason == otlp_pb2.REJECTION_REASON_MALFORMED


@pytest.mark.parametrize(
    "body", [b"<html><body>Sign in</body></html>", b"\xff\xfe", b"[]", b"null"]
)
def test_what_is_something_else_is_no_request(route: Route, body: bytes) -> None:
    assert route.send(body) == Answered(code_pb2.INVALID_ARGUMENT, NO_REQUEST)


def encoded_neighbors(route: Route) -> bytes:
    return route.encoded(request_of(*neighbors()))


def request_of(*metrics: Any) -> Any:
    request = metrics_service_pb2.ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.extend(metrics)
    return request


def test_a_gzip_body_is_recorded(route: Route) -> None:
    assert route.send_gzip(encoded_neighbors(route)) == TAKEN
    check_neighbors(route)


def test_a_gzip_bomb_is_refused(route: Route) -> None:
    # 64 MiB of zeros are 64 kB.
    refused = route.send_gzip(bytes(64 * MIB))
    assert refused.code == code_pb2.RESOURCE_EXHAUSTED
    assert route.export(*neighbors()) == TAKEN
    check_neighbors(route)


@pytest.fixture(params=["protobuf", "json"])
def http(request: pytest.FixtureRequest, sender: Sender) -> Route:
    return Route(sender, request.param)


def test_a_gzip_bomb_is_413_over_http(http: Route) -> None:
    answer = http.sender.post(
        gzip.compress(bytes(64 * MIB)), TYPES[http.name], **{"content-encoding": "gzip"}
    )
    assert answer.status_code == requests.codes.request_entity_too_large
    assert answer.headers["content-type"] == TYPES[http.name]


def test_gzip_of_several_members_is_recorded(http: Route) -> None:
    body = encoded_neighbors(http)
    members = [gzip.compress(body[at : at + 50]) for at in range(0, len(body), 50)]
    assert len(members) > 2
    assert http.send(b"".join(members), **{"content-encoding": "gzip"}) == TAKEN
    check_neighbors(http)


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_gzip_that_is_cut_short_is_refused(http: Route, cut: int) -> None:
    body = gzip.compress(encoded_neighbors(http))[:-cut]
    refused = http.send(body, **{"content-encoding": "gzip"})
    assert refused == Answered(code_pb2.INVALID_ARGUMENT, "body must be gzip")
    assert http.sender.metrics() == {}


def test_json_with_other_signals_beside_metrics_is_taken(sender: Sender) -> None:
    body = json.loads(Route(sender, "json").encoded(request_of(*neighbors())))
    answer = sender.post_json({**body, "unknown": [1, {"a": None}]})
    assert answer == {}
    check_neighbors(Route(sender, "json"))


def test_json_of_a_metric_with_points_of_two_kinds_is_no_request(sender: Sender) -> None:
    body = json.loads(Route(sender, "json").encoded(request_of(*neighbors())))
    metric = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    kinds = {"gauge", "sum", "histogram", "exponentialHistogram", "summary"}
    (other, *others) = sorted(kinds - metric.keys())
    # Null is the same as absent.
    metric.update(dict.fromkeys(others))
    assert sender.post_json(body) == {}
    metric[other] = {}
    answer = sender.post(json.dumps(body).encode(), "application/json")
    assert (answer.status_code, answer.json()["message"]) == (400, NO_REQUEST)
