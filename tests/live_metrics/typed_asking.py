"""Typed events, and what an error says of fields."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status  # type: ignore[import-untyped]

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb

NINE = 1_743_498_000  # 2025-04-01T09:00:00Z
TEN_MINUTES = 600


def event(
    number: str, kind: pb.EventType, tenant_id: str, at: float = 0, **fields: object
) -> pb.CallEvent:
    if "call_id" not in fields and kind < pb.EVENT_TYPE_INSTRUCTIONS_DB_ERROR:
        fields["call_id"] = f"{tenant_id}-call"
    made = pb.CallEvent(event_id=f"{tenant_id}-{number}", type=kind, tenant_id=tenant_id, **fields)  # type: ignore[arg-type]
    made.occur_time.FromMicroseconds(NINE * 1_000_000 + round(at * 1_000_000))
    return made


def refusal(error: grpc.RpcError) -> tuple[grpc.StatusCode, list[str]]:
    """The status of an error and what it says of fields."""
    status = rpc_status.from_call(error)
    bad_request = error_details_pb2.BadRequest()
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            detail.Unpack(bad_request)
    return error.code(), [violation.description for violation in bad_request.field_violations]
