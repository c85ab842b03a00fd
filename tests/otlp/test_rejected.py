"""What exporters send that breaks a rule: it is rejected alone, and shown."""

from __future__ import annotations

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from tests.otlp.decoded import attributes, body_of, request
from tests.otlp.sending import Sender, counter, now_ns
from tests.stack import Stack

from vumeter.otlp.v1 import otlp_pb2
from vumeter_server.access.roles import Role


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
        (reasons.Name(each.reason).removeprefix("REJECTION_REASON_"), each.metric_name): each.points
        for each in rejected.counts
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
    member = Sender(stack, stack.make_key("Exporters without rights", Role.MEMBER))
    assert member.post(body_of("py-delta-exp")).status_code == 200
    with pytest.raises(grpc.RpcError) as caught:
        member.rejected()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
