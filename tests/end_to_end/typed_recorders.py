"""Clients of the ways of recording that only gRPC has, or has beside a path of REST."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict
from tests.end_to_end.other_recorders import (
    calls_in,
    columns_of,
    events_of,
    execution_of,
    few_of,
)
from tests.end_to_end.recorders import RpcRecorderAtStops, StreamRecorder

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.simulation.v1 import simulation_pb2 as simulation_pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub

SIMULATION = "vumeter.simulation.v1.SimulationService"


class ColumnsRpcRecorder(RpcRecorderAtStops):
    """Columns a call, one after the other."""

    def record(self, batch: str) -> bool:
        request = pb.RecordColumnsRequest(columns=columns_of(batch), idempotency_key=batch)
        return self.is_taken(
            batch,
            "vumeter.custom_metrics.v1.CustomMetricsService/RecordColumns",
            request.SerializeToString(),
        )


class EventsRpcRecorder(RpcRecorderAtStops):
    """Call events a call, one after the other."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def record(self, batch: str) -> bool:
        request = live_pb.RecordEventsRequest(events=events_of(batch))
        return self.is_taken(
            batch,
            "vumeter.live_metrics.v1.LiveMetricsService/RecordEvents",
            request.SerializeToString(),
        )


class CallsRpcRecorder(RpcRecorderAtStops):
    """Simulated calls a call, one after the other; each batch is an execution of its own."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def record(self, batch: str) -> bool:
        execution = {"execution_id": execution_of(batch), "run_test_name": self.name}
        answer = self.caller.rpc(f"{SIMULATION}/RecordExecution", {"execution": execution})
        if answer.code:
            assert self.is_of_stop(batch, answer.code), answer.body
            return False
        return self.is_taken(batch, f"{SIMULATION}/RecordCalls", {"calls": calls_in(batch)})


class CallStreamRecorder(StreamRecorder):
    """The same, many batches in flight on one stream."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def answers(self) -> Any:
        stub: Any = SimulationServiceStub(self.caller.channel)
        return stub.StreamCalls(self.requests(self._request_of_known), metadata=self.metadata)

    def _request_of_known(self, batch: str) -> Any:
        # Calls are taken of an execution that is known.
        execution = {"execution_id": execution_of(batch), "run_test_name": self.name}
        if self.caller.rpc(f"{SIMULATION}/RecordExecution", {"execution": execution}).code:
            return None
        return ParseDict({"calls": calls_in(batch)}, simulation_pb.StreamCallsRequest())
