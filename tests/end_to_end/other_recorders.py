"""Clients of the other ways of recording, and of deletion: each knows what has to be there."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
from google.protobuf import timestamp_pb2
from tests.end_to_end.callers import Caller
from tests.end_to_end.recorders import (
    Recorder,
    StreamRecorder,
    number_of,
    points_of,
    posted,
    size_of,
)

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

EVENTS = "/api/v1/metrics/events"
SIMULATION = "/sdk/api/v1/simulation"
FEW = 20
NAMESPACE = uuid.UUID("5819e158-0000-4000-8000-000000000000")


def few_of(batch: str) -> int:
    """Return how many events or calls a batch holds."""
    return size_of(batch) % FEW + 1


class ColumnsRecorder(StreamRecorder):
    """Many batches in flight on one stream of columns."""

    def answers(self) -> Any:
        stub: Any = CustomMetricsServiceStub(self.caller.channel)
        return stub.StreamColumns(self.requests(self._request), metadata=self.metadata)

    @staticmethod
    def _request(batch: str) -> Any:
        return pb.StreamColumnsRequest(columns=columns_of(batch), idempotency_key=batch)


def columns_of(batch: str) -> Any:
    """Return the points of a batch as columns, each at another microsecond of one day."""
    size = size_of(batch)
    return pb.PointColumns(
        names=["turns"],
        name_indexes=[0] * size,
        values=[1] * size,
        label_sets=[pb.LabelSet(tags={"batch": batch})],
        label_set_indexes=[0] * size,
        times_us=[1_743_502_000_000_000 + number for number in range(size)],
    )


class DeletingRecorder(Recorder):
    """Records a batch, and deletes every other one."""

    def __init__(self, name: str, caller: Caller) -> None:
        super().__init__(name, caller)
        self._to_delete: set[str] = set()
        self._deleted: set[str] = set()

    @property
    def kept(self) -> set[str]:
        return super().kept - self._to_delete

    @property
    def gone(self) -> set[str]:
        return self._deleted

    def record(self, batch: str) -> bool:
        body = {"points": points_of(batch), "idempotencyKey": batch}
        if not posted(self.caller, "/v1/custom-metrics", body):
            return False
        # A repeat of what was deleted does not bring it back.
        if number_of(batch) % 2 and batch not in self._deleted:
            self._to_delete.add(batch)
            filters = [{"label": "batch", "op": "=", "value": batch}]
            if not posted(self.caller, "/v1/custom-metrics/delete", {"filters": filters}):
                return False
            self._deleted.add(batch)
        return True


class EventsRecorder(Recorder):
    """Call events over REST; each batch is of a tenant of its own, whose calls all go on."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def record(self, batch: str) -> bool:
        events = [
            {
                "event_id": f"{batch}/{number}",
                "type": "started",
                "call_id": f"{batch}/{number}",
                "tenant_id": batch,
                "occurred_at": "2025-04-01T09:00:00Z",
            }
            for number in range(few_of(batch))
        ]
        return posted(self.caller, EVENTS, {"events": events}, {"recorded": few_of(batch)})


class EventStreamRecorder(StreamRecorder):
    """The same, many batches in flight on one stream."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def answers(self) -> Any:
        stub: Any = LiveMetricsServiceStub(self.caller.channel)
        return stub.StreamEvents(self.requests(self._request), metadata=self.metadata)

    @staticmethod
    def _request(batch: str) -> Any:
        return live_pb.StreamEventsRequest(events=events_of(batch))


def events_of(batch: str) -> list[Any]:
    """Return the same events as messages."""
    names = [f"{batch}/{number}" for number in range(few_of(batch))]
    return [
        live_pb.CallEvent(
            event_id=name,
            type=live_pb.EVENT_TYPE_STARTED,
            call_id=name,
            tenant_id=batch,
            occur_time=timestamp_pb2.Timestamp(seconds=1_743_498_000),
        )
        for name in names
    ]


class CallsRecorder(Recorder):
    """Simulated calls over REST; each batch is an execution of its own."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def record(self, batch: str) -> bool:
        started = {"execution_id": execution_of(batch), "run_test_name": self.name}
        told = {"status": True, "result": {"recorded": few_of(batch)}}
        return posted(self.caller, f"{SIMULATION}/executions", started) and posted(
            self.caller, f"{SIMULATION}/calls", {"calls": calls_in(batch)}, told
        )


def calls_in(batch: str) -> list[dict[str, Any]]:
    """Return the calls of a batch in the form of the REST body, which is that of the message."""
    return [
        {
            "call_execution_id": str(uuid.uuid5(NAMESPACE, f"{batch}/{number}")),
            "execution_id": execution_of(batch),
            "duration_seconds": number,
        }
        for number in range(few_of(batch))
    ]


def execution_of(batch: str) -> str:
    return str(uuid.uuid5(NAMESPACE, batch))


def active_calls(caller: Caller) -> dict[str, int]:
    """Return how many calls each tenant has."""
    found: dict[str, int] = {}
    token = ""
    while True:
        answer = caller.rpc(
            "vumeter.live_metrics.v1.LiveMetricsService/ListTenants",
            {"page_size": 1_000, "page_token": token},
        )
        for tenant in answer.body.get("tenants", []):
            found[tenant["tenant_id"]] = int(tenant.get("active_calls", 0))
        token = answer.body.get("next_page_token", "")
        if not token:
            return found


def calls_of(caller: Caller, client: Recorder) -> dict[str, int]:
    """Return how many calls the execution of each batch of a client has."""
    batches = {execution_of(batch): batch for batch in client.sent}
    found: dict[str, int] = {}
    token = ""
    while True:
        answer = caller.rpc(
            "vumeter.simulation.v1.SimulationService/ListExecutionMetrics",
            {"run_test_name": client.name, "page_size": 100, "page_token": token},
        )
        if answer.code == grpc.StatusCode.NOT_FOUND.value[0]:
            return {}
        for each in answer.body.get("executions", []):
            execution = each["execution_id"]
            calls = int(each.get("calls", {}).get("total", 0))
            found[batches.get(execution, execution)] = calls
        token = answer.body.get("next_page_token", "")
        if not token:
            return found
