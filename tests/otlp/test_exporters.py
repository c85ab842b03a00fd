"""OpenTelemetry's own exporters through Envoy: what was measured is what is answered."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import metric_exporter as over_http
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from tests.otlp.decoded import PAYLOADS, attributes, body_of, request
from tests.stack import Stack, start_stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2, custom_metrics_pb2_grpc
from vumeter.otlp.v1 import otlp_pb2, otlp_pb2_grpc
from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role

_numbers = count(1)
DELTA = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)
EXPONENTIAL = {Histogram: ExponentialBucketHistogramAggregation()}
LATENCIES = (0.31, 0.52, 0.75, 1.4, 2.25, 0.31, 0.9)


@dataclass(frozen=True)
class Sender:
    """An organization's key, and the product."""

    stack: Stack
    key: NewKey

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key.key_id}.{self.key.secret}"}

    def post(self, body: bytes, kind: str = "application/x-protobuf", **headers: str) -> Any:
        return requests.post(
            self.stack.rest_url + "/v1/metrics",
            data=body,
            headers={**self.headers, "content-type": kind, **headers},
            timeout=20,
        )

    def post_json(self, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.post(json.dumps(body).encode(), "application/json")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def query(self, metric: str, *functions: str, group: str = "session_id") -> dict[str, Any]:
        body = {
            "startDate": "2020-01-01",
            "endDate": "2029-01-01",
            "metrics": [
                {
                    "as": function,
                    "metric": metric,
                    "function": function.rstrip("0123456789"),
                    **({"percentile": int(function[10:])} if function[10:] else {}),
                }
                for function in functions
            ],
            "groupBy": [group],
        }
        url = f"{self.stack.rest_url}/v1/custom-metrics/query"
        answer = requests.post(url, json=body, headers=self.headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return {row["labels"][group]: row for row in answer.json()["data"]["rows"]}

    def rejected(self) -> otlp_pb2.ListRejectedPointsResponse:
        with grpc.insecure_channel(self.stack.grpc_target) as channel:
            stub = otlp_pb2_grpc.OtlpServiceStub(channel)
            answer: otlp_pb2.ListRejectedPointsResponse = stub.ListRejectedPoints(
                otlp_pb2.ListRejectedPointsRequest(),
                metadata=list(self.headers.items()),
                timeout=20,
            )
        return answer

    def metrics(self) -> dict[str, custom_metrics_pb2.Metric]:
        with grpc.insecure_channel(self.stack.grpc_target) as channel:
            stub = custom_metrics_pb2_grpc.CustomMetricsServiceStub(channel)
            answer = stub.ListMetrics(
                custom_metrics_pb2.ListMetricsRequest(),
                metadata=list(self.headers.items()),
                timeout=20,
            )
        return {metric.name: metric for metric in answer.metrics}


@pytest.fixture
def sender(stack: Stack) -> Sender:
    return Sender(stack, stack.make_key(f"Exporters {next(_numbers)}"))


def exporter_of(
    sender: Sender, transport: str, temporality: Any, aggregation: Any
) -> MetricExporter:
    options: dict[str, Any] = {
        "headers": sender.headers,
        "timeout": 20,
        "preferred_temporality": temporality,
        "preferred_aggregation": aggregation,
    }
    if transport == "grpc":
        return over_grpc.OTLPMetricExporter(sender.stack.edge_target, insecure=True, **options)
    return over_http.OTLPMetricExporter(f"{sender.stack.rest_url}/v1/metrics", **options)


@pytest.fixture(params=["grpc", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Agent:
    """An agent's process with an SDK of its own."""

    def __init__(self, exporter: MetricExporter, **resource: str) -> None:
        self.provider = MeterProvider(
            [PeriodicExportingMetricReader(exporter, export_interval_millis=10_000_000)],
            resource=Resource({"service.name": "reception", **resource}),
            shutdown_on_exit=False,
        )
        meter = self.provider.get_meter("agent")
        self.calls = meter.create_counter("app.calls", unit="{call}", description="Calls handled")
        self.latency = meter.create_histogram("app.latency", unit="s")
        self.active = meter.create_up_down_counter("app.active")

    def export(self) -> None:
        assert self.provider.force_flush(20_000)


@pytest.mark.parametrize("temporality", [None, DELTA], ids=["cumulative", "delta"])
@pytest.mark.parametrize("aggregation", [None, EXPONENTIAL], ids=["explicit", "exponential"])
def test_what_was_measured_is_answered(
    sender: Sender, transport: str, temporality: Any, aggregation: Any
) -> None:
    agent = Agent(
        exporter_of(sender, transport, temporality, aggregation),
        **{"deployment.environment.name": "staging"},
    )
    for number, latency in enumerate(LATENCIES):
        session = {"session.id": f"s-{number % 2}"}
        agent.calls.add(2, session)
        agent.latency.record(latency, session)
        agent.active.add(1)
        agent.export()
    agent.export()
    agent.provider.shutdown()
    calls = sender.query("app.calls", "sum")
    assert {session: each["values"]["sum"] for session, each in calls.items()} == {
        "s-0": 8,
        "s-1": 6,
    }
    latencies = sender.query("app.latency", "sum", "count", "min", "max", "percentile50")
    for name, values in (("s-0", LATENCIES[::2]), ("s-1", LATENCIES[1::2])):
        row = latencies[name]["values"]
        assert row["count"] == len(values)
        assert row["sum"] == pytest.approx(sum(values))
        if temporality is DELTA:
            # Each export is of one value, which follows from its sum.
            assert row["min"] == pytest.approx(min(values))
            assert row["max"] == pytest.approx(max(values))
            assert row["percentile50"] == pytest.approx(sorted(values)[(len(values) - 1) // 2])
    assert sender.query("app.active", "last")[""]["values"]["last"] == len(LATENCIES)
    assert sender.query("app.calls", "sum", group="environment_id").keys() == {"staging"}
    assert sender.query("app.calls", "sum", group="agent_id").keys() == {"reception"}
    described = sender.metrics()["app.calls"]
    assert (described.unit, described.description) == ("{call}", "Calls handled")
    assert described.type == custom_metrics_pb2.METRIC_TYPE_COUNTER


def test_two_processes_of_one_identity_count_each(sender: Sender) -> None:
    agents = [Agent(exporter_of(sender, "grpc", None, None)) for _ in range(2)]
    for number in range(3):
        for agent in agents:
            agent.calls.add(1 + number)
            agent.export()
    for agent in agents:
        agent.provider.shutdown()
    assert sender.query("app.calls", "sum")[""]["values"]["sum"] == 12


def test_a_restart_loses_and_doubles_nothing(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    key = stack.make_key()
    sender = Sender(stack, key)
    agent = Agent(exporter_of(sender, "http", None, None))
    agent.calls.add(5)
    agent.export()
    stack.process.kill()
    stack.wait()
    agent.calls.add(2)
    port = stack.rest_url.rpartition(":")[2]
    again = start_stack(tmp_path, f"--rest-port={port}")
    sender = Sender(again, key)
    agent.export()
    agent.export()
    assert sender.query("app.calls", "sum")[""]["values"]["sum"] == 7
    agent.provider.shutdown()
    again.stop()


def test_a_repeat_of_a_delta_request_is_harmless(sender: Sender) -> None:
    for _ in range(3):
        assert sender.post(body_of("py-delta-exp")).status_code == 200
    assert sender.query("app.calls", "sum")["s-0"]["values"]["sum"] == 3


@pytest.mark.parametrize(
    "path", ["/observability/metrics/otlp/v0", "//observability/metrics/otlp/v0/"]
)
def test_livekit_sends_with_the_key_in_its_url(sender: Sender, path: str) -> None:
    shown = base64.b64encode(f"{sender.key.key_id}:{sender.key.secret}".encode()).decode()
    answer = requests.post(
        sender.stack.rest_url + path,
        data=(PAYLOADS / "livekit-metrics.bin").read_bytes(),
        headers={
            "authorization": f"Basic {shown}",
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        },
        timeout=20,
    )
    assert (answer.status_code, answer.content) == (200, b"")
    row = sender.query("lk.agents.turn.e2e_latency", "count", "min", "max", "percentile50")
    found = row["RM_synthetic1"]
    assert found["values"] == {"count": 3, "min": 1.1, "max": 1.5, "percentile50": 1.3}
    assert "errors" not in found


@pytest.mark.parametrize("signal", ["traces/otlp/v0", "logs/otlp/v0", "recordings/v0"])
def test_what_holds_transcripts_is_thrown_away_unread(sender: Sender, signal: str) -> None:
    answer = requests.post(
        f"{sender.stack.rest_url}/observability/{signal}",
        data=b"not even gzip",
        headers={
            **sender.headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        },
        timeout=20,
    )
    assert (answer.status_code, answer.content) == (200, b"")


def now_ns(ago_seconds: float = 0) -> str:
    return str(time.time_ns() - int(ago_seconds * 1e9))


def counter(name: str, *values: Any, **more: Any) -> dict[str, Any]:
    points = [
        {"asDouble": value, "startTimeUnixNano": now_ns(9), "timeUnixNano": now_ns(), **more}
        for value in values
    ]
    return {
        "name": name,
        "sum": {"dataPoints": points, "aggregationTemporality": 1, "isMonotonic": True},
    }


def test_a_bad_point_takes_no_neighbour_with_it(sender: Sender) -> None:
    summary = {"name": "old", "summary": {"dataPoints": [{}, {}]}}
    gauge = {"name": "good", "gauge": {"dataPoints": [{"asInt": 1, "timeUnixNano": now_ns()}]}}
    histogram = {
        "name": "h",
        "histogram": {
            "aggregationTemporality": 1,
            "dataPoints": [
                {"count": 3, "sum": 2, "bucketCounts": [1, 1], "explicitBounds": [1]},
            ],
        },
    }
    answer = sender.post_json(
        request(
            counter("good", 1, "NaN", -1, 2),
            counter("not a name", 1),
            counter("good", 4, timeUnixNano="0"),
            counter("good", 8, timeUnixNano=now_ns(-3_600)),
            summary,
            gauge,
            histogram,
        )
    )
    assert answer["partialSuccess"]["rejectedDataPoints"] == "9"
    assert answer["partialSuccess"]["errorMessage"].endswith("and 8 more")
    assert sender.query("good", "sum")[""]["values"]["sum"] == 3
    rejected = sender.rejected()
    reasons = otlp_pb2.RejectionReason
    counted = {
        (reasons.Name(each.reason)[15:], each.metric_name): each.points for each in rejected.counts
    }
    assert counted == {
        ("VALUE", "good"): 2,
        ("NAME", "not a name"): 1,
        ("TIME", "good"): 2,
        ("UNSUPPORTED", "old"): 2,
        ("TYPE", "good"): 1,
        ("DISTRIBUTION", "h"): 1,
    }
    assert {each.key_id for each in rejected.counts} == {sender.key.key_id}
    assert len(rejected.latest) == 9


def test_long_and_many_attributes_are_shortened_and_counted(sender: Sender) -> None:
    many = attributes({f"a{number:02}": "x" for number in range(40)})
    long = attributes({"text": "y" * 300})
    sender.post_json(
        request(counter("many", 1, attributes=many), counter("long", 1, attributes=long))
    )
    assert sender.query("many", "sum", group="a31").keys() == {"x"}
    (value,) = sender.query("long", "sum", group="text")
    assert len(value) == 256
    notes = {each.note: each.count for each in sender.rejected().notes}
    assert notes == {"cut": 1, "dropped_labels": 8}


WRONG = [
    (b"<html>", "application/x-protobuf", {}, 400),
    (b"\x0a", "application/x-protobuf", {}, 400),
    (b"{", "application/json", {}, 400),
    (b'{"resourceMetrics": [{"scopeMetrics": 3}]}', "application/json", {}, 400),
    (b"x", "text/html", {}, 400),
    (b"x", "application/x-protobuf", {"content-encoding": "br"}, 415),
    (b"\x1f\x8b\x08", "application/x-protobuf", {"content-encoding": "gzip"}, 400),
]


@pytest.mark.parametrize(("body", "kind", "headers", "status"), WRONG)
def test_what_is_no_request_gets_a_status_in_its_own_encoding(
    sender: Sender, body: bytes, kind: str, headers: dict[str, str], status: int
) -> None:
    answer = sender.post(body, kind, **headers)
    assert answer.status_code == status, answer.content
    encoding = answer.headers["content-type"]
    assert encoding == (kind if kind != "text/html" else "application/json")
    if encoding == "application/json":
        assert answer.json()["code"] == 3


def test_a_request_that_is_none_is_counted(sender: Sender) -> None:
    sender.post(b"<html>")
    (counted,) = sender.rejected().counts
    assert counted.reason == otlp_pb2.REJECTION_REASON_MALFORMED
    assert (counted.metric_name, counted.points) == ("", 1)


def test_without_a_key_nothing_is_taken(sender: Sender) -> None:
    answer = sender.post(body_of("py-delta-exp"), authorization="Bearer nobody.secret")
    assert answer.status_code == 401
    with grpc.insecure_channel(sender.stack.edge_target) as channel:
        stub = metrics_service_pb2_grpc.MetricsServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.RpcError) as caught:
            stub.Export(metrics_service_pb2.ExportMetricsServiceRequest(), timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_member_may_send_but_not_see_what_was_rejected(stack: Stack) -> None:
    member = Sender(stack, stack.make_key(f"Exporters {next(_numbers)}", Role.MEMBER))
    assert member.post(body_of("py-delta-exp")).status_code == 200
    with pytest.raises(grpc.RpcError) as caught:
        member.rejected()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
