"""What the typed RPCs refuse: bad fields, other organizations, no key."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.simulation.conftest import Organization
from tests.simulation.typed_asking import (
    RUN_TEST,
    answering_in,
    ask,
    call,
    call_id,
    execution,
    execution_id,
    refusal,
    told,
)

from vumeter.simulation.v1 import simulation_pb2 as pb

UUID = "must be a UUID such as 5819e158-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("rpc", "fields", "field", "problem"),
    [
        ("RecordRunTest", {}, "run_test_name", "must be given"),
        ("RecordExecution", {}, "execution.execution_id", "must be given"),
        (
            "RecordExecution",
            {"execution": execution(run_test_name="")},
            "execution.run_test_name",
            "must be given",
        ),
        (
            "RecordExecution",
            {"execution": execution(status=99)},
            "execution.status",
            "must be one of pending, running, completed, failed, cancelling, cancelled, evaluating",
        ),
        (
            "RecordExecution",
            {"execution": execution(total_calls=-1)},
            "execution.total_calls",
            "must be a whole number from 0 to 9007199254740991",
        ),
        (
            "RecordExecution",
            {"execution": execution(start_time=Timestamp(seconds=2**62))},
            "execution.start_time",
            "must be a valid timestamp of the years 1 to 9999",
        ),
        (
            "RecordCalls",
            {"calls": [call(1)] * 10_001},
            "calls",
            "must hold at most 10000 calls",
        ),
        (
            "RecordCalls",
            {"calls": [call(1), call(2, duration_seconds=-0.5)]},
            "calls[1].duration_seconds",
            "must not be negative",
        ),
        (
            "RecordCalls",
            {"calls": [call(1, **answering_in(float("nan")))]},
            "calls[0].latency.avg_agent_latency_ms",
            "must be finite",
        ),
        ("GetCallMetrics", {"call_execution_id": "1"}, "call_execution_id", UUID),
        ("GetExecutionMetrics", {}, "execution_id", "must be given"),
        (
            "GetExecutionMetrics",
            {"execution_id": execution_id(1), "percentiles": [50, 100.5]},
            "percentiles[1]",
            "must be from 0 to 100",
        ),
        ("ListExecutionMetrics", {}, "run_test_name", "must be given"),
        (
            "ListExecutionMetrics",
            {"run_test_name": RUN_TEST, "page_size": 101},
            "page_size",
            "must be from 1 to 100",
        ),
        ("ListRunTests", {"page_size": -1}, "page_size", "must be from 1 to 1,000"),
        ("DeleteExecution", {"execution_id": "x" * 500}, "execution_id", UUID),
        (
            "CompareExecutions",
            {"execution_id": execution_id(1)},
            "baseline_execution_id",
            "must be given",
        ),
        (
            "CompareExecutions",
            {"thresholds": [pb.Threshold(metric="latency.percentiles.p95")]},
            "thresholds[0].limit",
            "must be given",
        ),
        (
            "CompareExecutions",
            {"thresholds": [pb.Threshold(metric="p95", max_value=1)]},
            "thresholds[0].metric",
            "must be a compared metric such as latency.percentiles.p95",
        ),
    ],
)
def test_a_bad_request_names_its_field(
    acme: Organization, rpc: str, fields: dict[str, Any], field: str, problem: str
) -> None:
    assert refusal(acme, rpc, **fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        f"{field} {problem}",
        [field],
    )


def test_every_rpc_keeps_to_the_organization_of_its_key(
    acme: Organization, rival: Organization
) -> None:
    ask(acme, "RecordExecution", execution=execution(1, status=pb.EXECUTION_STATUS_COMPLETED))
    ask(acme, "RecordCalls", calls=[call(1, **answering_in(640))])
    before = ask(acme, "GetExecutionMetrics", execution_id=execution_id(1))
    for rpc, fields in (
        ("RecordCalls", {"calls": [call(1)]}),
        ("GetCallMetrics", {"call_execution_id": call_id(1)}),
        ("GetExecutionMetrics", {"execution_id": execution_id(1)}),
        ("ListExecutionMetrics", {"run_test_name": RUN_TEST}),
        ("DeleteExecution", {"execution_id": execution_id(1)}),
        (
            "CompareExecutions",
            {"baseline_execution_id": execution_id(1), "execution_id": execution_id(1)},
        ),
    ):
        assert refusal(rival, rpc, **fields)[0] is grpc.StatusCode.NOT_FOUND, rpc
    stream = rival.stub.StreamCalls(
        iter([pb.StreamCallsRequest(calls=[call(1)])]), metadata=rival.metadata, timeout=20
    )
    assert next(stream).error.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert list(ask(rival, "ListRunTests").run_tests) == []
    ask(rival, "RecordRunTest", run_test_name=RUN_TEST)
    ask(rival, "RecordExecution", execution=execution(1))
    ask(rival, "RecordCalls", calls=[call(1), call(2)])
    assert ask(acme, "GetExecutionMetrics", execution_id=execution_id(1)) == before


def test_every_rpc_asks_for_a_key(acme: Organization) -> None:
    service = pb.DESCRIPTOR.services_by_name["SimulationService"]
    for method in service.methods:
        for metadata in ((), (("x-api-key", acme.key.key_id), ("x-secret-key", "wrong"))):
            request = getattr(pb, f"{method.name}Request")()
            asked = iter([request]) if method.client_streaming else request
            with pytest.raises(grpc.RpcError) as refused:
                list(getattr(acme.stub, method.name)(asked, metadata=metadata, timeout=20))
            code, message, _ = told(refused.value)
            assert code is grpc.StatusCode.UNAUTHENTICATED, method.name
            assert message == "Missing or invalid credentials"
