"""The typed RPCs as a gRPC caller asks them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from tests.simulation.conftest import Organization

from vumeter.simulation.v1 import simulation_pb2 as pb

RUN_TEST = "My Agent Test"


def execution_id(number: int) -> str:
    return f"5819e158-0000-4000-8000-{number:012x}"


def call_id(number: int) -> str:
    return f"5af9e484-0000-4000-8000-{number:012x}"


def execution(number: int = 1, **fields: Any) -> pb.Execution:
    fields.setdefault("run_test_name", RUN_TEST)
    return pb.Execution(execution_id=execution_id(number), **fields)


def call(number: int, of: int = 1, **fields: Any) -> pb.Call:
    return pb.Call(call_execution_id=call_id(number), execution_id=execution_id(of), **fields)


def answering_in(latency_ms: float) -> dict[str, Any]:
    return {"latency": pb.CallLatency(avg_agent_latency_ms=latency_ms)}


def ask(acme: Organization, rpc: str, **fields: Any) -> Any:
    request = getattr(pb, f"{rpc}Request")(**fields)
    return getattr(acme.stub, rpc)(request, metadata=acme.metadata, timeout=20)


def refusal(acme: Organization, rpc: str, **fields: Any) -> tuple[grpc.StatusCode, str, list[str]]:
    """The status, message and fields that an RPC is refused with."""
    with pytest.raises(grpc.RpcError) as refused:
        ask(acme, rpc, **fields)
    return told(refused.value)


def told(error: Any) -> tuple[grpc.StatusCode, str, list[str]]:
    details = error_details_pb2.BadRequest()
    trailing = dict(error.trailing_metadata())
    status = Status.FromString(trailing["grpc-status-details-bin"])
    if status.details:
        status.details[0].Unpack(details)
    return error.code(), error.details(), [each.field for each in details.field_violations]
