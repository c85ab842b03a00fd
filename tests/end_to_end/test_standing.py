"""Health, connections that stand for long, and the orderly end of a server."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from tests.end_to_end.api import METHODS
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.conftest import IdleChannel, connected, with_key
from tests.end_to_end.recorders import RECORD
from tests.stack import start_stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub

SERVICES = sorted({method.name.split("/")[0] for method in METHODS})
# A server that takes offence at a ping each 10 seconds says so at the fourth.
PINGED_FOR_SECONDS = 43
AGGREGATE = "vumeter.custom_metrics.v1.CustomMetricsService/AggregateMetrics"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_every_service_says_that_it_serves(anybody: Caller, service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    assert HealthStub(anybody.channel).Check(request, timeout=10).status == SERVING


def test_a_service_that_is_not_there_is_not_found(anybody: Caller) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        HealthStub(anybody.channel).Check(
            health_pb2.HealthCheckRequest(service="vumeter.v1.None"), timeout=10
        )
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_not_serving_comes_first_then_the_call_in_flight_ends_then_the_server(
    tmp_path: Path,
) -> None:
    stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false")
    with connected(stack) as anybody:
        owner = with_key(anybody, "Clinic")
        batches: queue.Queue[bool] = queue.Queue()
        answers = stream_of(owner, batches)
        watch = HealthStub(owner.channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert next(watch).status == SERVING
        batches.put(True)
        assert next(answers).recorded == 1

        ending = threading.Thread(target=stack.stop, args=(signal.SIGTERM,))
        ending.start()
        assert next(watch).status == NOT_SERVING
        refused = until_refused(owner)
        assert (refused.code, refused.headers.get("retry-after")) in ((14, None), (14, "1"))
        is_refused_by_envoy(owner)
        # The stream that was open before is served to its end.
        batches.put(True)
        assert next(answers).sequence == 2
        assert ending.is_alive()
        batches.put(False)
        assert list(answers) == []
        ending.join()
    assert stack.process.returncode == 0
    assert "Traceback" not in stack.log.read_text()
    kept = start_stack(tmp_path, VUMETER_ACCESS_LOG="false")
    with connected(kept) as anybody:
        again = with_key(anybody, "Clinic")
        selection = {"start_time": "2025-04-01T00:00:00Z", "end_time": "2025-04-02T00:00:00Z"}
        totals = again.rpc(AGGREGATE, {"selection": selection})
        assert totals.body == {"rows": [{"metrics": {"booking_attempt": 2.0}}]}
    assert kept.stop() == 0


def stream_of(owner: Caller, batches: queue.Queue[bool]) -> Iterator[pb.StreamPointsResponse]:
    """Send a point for each True of `batches`; end at False."""

    def requests() -> Iterator[pb.StreamPointsRequest]:
        while batches.get():
            request = pb.StreamPointsRequest()
            request.points.add(name="booking_attempt").occur_time.FromSeconds(1_743_501_600)
            yield request

    metadata = (("authorization", owner.credentials["authorization"]),)
    stub = CustomMetricsServiceStub(owner.channel)
    answers: Iterator[pb.StreamPointsResponse] = stub.StreamPoints(
        requests(), metadata=metadata, timeout=30
    )
    return answers


def until_refused(owner: Caller) -> Answer:
    deadline = time.monotonic() + 30
    # 1: grpc cancels a call that comes in the very moment in which it closes the port.
    while (answer := owner.rpc(RECORD, {"points": []}, timeout=10)).code in (0, 1):
        assert time.monotonic() < deadline, "new calls are still answered"
    return answer


def is_refused_by_envoy(owner: Caller) -> None:
    answer = owner.post("/v1/custom-metrics", {"points": []})
    assert answer.body == {"code": 14, "message": "Service unavailable", "details": []}
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_a_connection_without_calls_may_ping_each_10_seconds(idle_channel: IdleChannel) -> None:
    while time.monotonic() - idle_channel.since < PINGED_FOR_SECONDS:
        time.sleep(0.1)
    assert idle_channel.states == [grpc.ChannelConnectivity.READY]
