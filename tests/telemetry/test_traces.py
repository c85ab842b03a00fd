"""Calls are traced to a real collector, in the trace of their caller, without anything secret."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as stubs
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.end_to_end.callers import Caller
from tests.end_to_end.conftest import connected, with_key
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.app import running
from vumeter_server.runtime.settings import load_settings
from vumeter_server.runtime.start_error import StartError

RECORDING = "/v1/custom-metrics"
REST = "vumeter.custom_metrics.v1.CustomMetricsRestService"
TYPED = "vumeter.custom_metrics.v1.CustomMetricsService"
NOON = "2025-04-01T12:00:00Z"
SECRET_METRIC, SECRET_SESSION = "cost_of_northwind", "session-of-a-patient"


class Collector(stubs.TraceServiceServicer):
    """Keeps every span that it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.spans: list[Span] = []
        self.requests: list[pb.ExportTraceServiceRequest] = []

    def Export(self, request: pb.ExportTraceServiceRequest, context: Any) -> Any:
        with self._lock:
            self.requests.append(request)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
        return pb.ExportTraceServiceResponse()

    def of_trace(self, trace_id: str) -> list[Span]:
        with self._lock:
            return [each for each in self.spans if each.trace_id.hex() == trace_id]

    def call(self, trace_id: str) -> Span:
        """Wait for the span of the one call of a trace."""
        until(lambda: any(each.kind == Span.SPAN_KIND_SERVER for each in self.of_trace(trace_id)))
        (found,) = [each for each in self.of_trace(trace_id) if each.kind == Span.SPAN_KIND_SERVER]
        return found


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    """A collector, and where it listens."""
    server = grpc.server(ThreadPoolExecutor(2))
    collecting = Collector()
    stubs.add_TraceServiceServicer_to_server(collecting, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collecting, f"http://127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture(scope="module")
def traced(
    collector: tuple[Collector, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    stack = start_stack(
        tmp_path_factory.mktemp("traced"),
        VUMETER_ACCESS_LOG="false",
        VUMETER_TRACES_ENDPOINT=collector[1],
        OTEL_BSP_SCHEDULE_DELAY="100",
    )
    yield stack
    assert stack.stop() == 0


@pytest.fixture(scope="module")
def owner(traced: Stack) -> Iterator[Caller]:
    with connected(traced) as anybody:
        yield with_key(anybody, "Traced")


@pytest.fixture
def spans(collector: tuple[Collector, str]) -> Collector:
    return collector[0]


def parent(number: int, *, sampled: bool = True) -> tuple[str, str, str]:
    """Return a trace, a span of it, and the header that names both."""
    trace_id, span_id = f"{number:032x}", f"{number:016x}"
    return trace_id, span_id, f"00-{trace_id}-{span_id}-{int(sampled):02d}"


def attributes(span: Span) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value")))
        for each in span.attributes
    }


def point(**more: Any) -> dict[str, Any]:
    return {"name": SECRET_METRIC, "value": 1, "timestamp": NOON, **more}


def test_a_recording_over_rest_is_part_of_its_callers_trace(
    owner: Caller, spans: Collector
) -> None:
    trace_id, span_id, header = parent(0xA1)
    body = {"points": [point(sessionId=SECRET_SESSION)]}
    assert owner.post(RECORDING, body, traceparent=header).status == 200
    call = spans.call(trace_id)
    assert (call.name, call.parent_span_id.hex()) == (f"{REST}/Record", span_id)
    assert attributes(call) == {
        "rpc.system": "grpc",
        "rpc.service": REST,
        "rpc.method": "Record",
        "rpc.grpc.status_code": 0,
    }
    assert call.end_time_unix_nano > call.start_time_unix_nano
    (write,) = [each for each in spans.of_trace(trace_id) if each.name == "write"]
    assert write.parent_span_id == call.span_id
    assert attributes(write) == {"db.system.name": "sqlite"}


def test_a_call_over_grpc_is_part_of_its_callers_trace(owner: Caller, spans: Collector) -> None:
    trace_id, span_id, header = parent(0xA2)
    answer = owner.rpc(f"{TYPED}/ListMetrics", metadata={"traceparent": header})
    assert answer.code == 0
    call = spans.call(trace_id)
    assert (call.name, call.parent_span_id.hex()) == (f"{TYPED}/ListMetrics", span_id)
    reads = [each for each in spans.of_trace(trace_id) if each.name == "read"]
    assert reads
    assert {each.parent_span_id for each in reads} == {call.span_id}


def test_a_rejected_call_has_its_status_and_is_no_error_of_the_server(
    owner: Caller, spans: Collector
) -> None:
    trace_id, _, header = parent(0xA3)
    body = {"points": [point(value="not a number")]}
    assert owner.post(RECORDING, body, traceparent=header).status == 400
    call = spans.call(trace_id)
    assert attributes(call)["rpc.grpc.status_code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert call.status.code == Status.STATUS_CODE_UNSET
    assert list(call.events) == []


def test_what_the_caller_does_not_sample_is_not_sent(owner: Caller, spans: Collector) -> None:
    unsampled, _, header = parent(0xA4, sampled=False)
    assert owner.get(f"{RECORDING}/names").status == 200
    assert owner.post(RECORDING, {"points": [point()]}, traceparent=header).status == 200
    # A later one has arrived, so that the other would have too.
    sampled, _, later = parent(0xA5)
    assert owner.post(RECORDING, {"points": [point()]}, traceparent=later).status == 200
    spans.call(sampled)
    assert spans.of_trace(unsampled) == []


def test_a_header_that_is_none_begins_a_trace_of_its_own(owner: Caller, spans: Collector) -> None:
    answer = owner.post(RECORDING, {"points": [point()]}, traceparent="00-secret-token-01")
    assert answer.status == 200

    def roots() -> list[Span]:
        return [each for each in list(spans.spans) if not each.parent_span_id]

    until(lambda: any(each.name == f"{REST}/Record" for each in roots()))
    # Neither health checks nor work beside the calls are traces.
    assert {each.kind for each in roots()} == {Span.SPAN_KIND_SERVER}
    assert not any("grpc.health" in each.name for each in roots())


def test_nothing_secret_is_in_any_span(owner: Caller, spans: Collector) -> None:
    trace_id, _, header = parent(0xA6)
    assert owner.post(RECORDING, {"points": [point()]}, traceparent=header).status == 200
    spans.call(trace_id)
    everything = "".join(str(each) for each in spans.requests)
    assert "worker-1" in everything
    secrets = [*owner.credentials.values(), owner.stack.admin_token]
    for secret in (*secrets, SECRET_METRIC, SECRET_SESSION, "secret-token", "SELECT", "Traced"):
        assert secret not in everything


def test_calls_do_not_wait_for_a_collector_that_is_not_there(tmp_path: Path) -> None:
    stack = start_stack(
        tmp_path, VUMETER_ACCESS_LOG="false", VUMETER_TRACES_ENDPOINT="http://127.0.0.1:1"
    )
    with connected(stack) as anybody:
        assert with_key(anybody, "Traced").get(f"{RECORDING}/names").status == 200
    assert stack.stop() == 0


@pytest.mark.parametrize("url", ["127.0.0.1:4317", "http://", "http://user:pass@host", "ftp://a"])
def test_an_endpoint_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(StartError) as caught:
        load_settings(traces_endpoint=url)
    assert str(caught.value) == (
        "VUMETER_TRACES_ENDPOINT: must be http://HOST:PORT or https://HOST:PORT"
    )


async def test_without_the_extra_the_start_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None makes the import fail as it does where nothing is installed.
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "vumeter_server.telemetry.tracing", raising=False)
    settings = load_settings(
        db=tmp_path / "vumeter.db", grpc_port=0, traces_endpoint="http://127.0.0.1:4317"
    )
    with pytest.raises(StartError) as caught:
        async with running(settings):
            pass
    assert str(caught.value) == ("VUMETER_TRACES_ENDPOINT needs pip install 'vumeter[tracing]'")
