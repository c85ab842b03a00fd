"""Clients of the other ways of recording, and of deletion: each knows what has to be there."""

from __future__ import annotations

import time
import uuid
from typing import Any

import grpc
import requests
from tests.end_to_end.callers import Caller
from tests.end_to_end.recorders import Recorder, StreamRecorder, points_of, size_of

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


def posted(caller: Caller, path: str, body: Any) -> bool:
    """Return whether a request was acknowledged; the server may be gone, or have no time."""
    try:
        answer = caller.post(path, body)
    except requests.RequestException:
        return False
    assert answer.status in (200, 503, 504), answer.body
    return answer.status == 200


class ColumnsRecorder(StreamRecorder):
    """Many batches in flight on one stream of columns."""

    def answers(self) -> Any:
        stub: Any = CustomMetricsServiceStub(self.caller.channel)
        return stub.StreamColumns(self.requests(self._request), metadata=self.metadata)

    @staticmethod
    def _request(batch: str) -> Any:
        points = points_of(batch)
        columns = pb.PointColumns(
            names=["turns"],
            name_indexes=[0] * len(points),
            values=[1] * len(points),
            label_sets=[pb.LabelSet(tags={"batch": batch})],
            label_set_indexes=[0] * len(points),
            times_us=[1_743_502_000_000_000 + number for number in range(len(points))],
        )
        return pb.StreamColumnsRequest(columns=columns, idempotency_key=batch)


class OtlpRecorder(Recorder):
    """An exporter's deltas in JSON, one after the other."""

    def record(self, batch: str) -> bool:
        end = time.time_ns()
        size = size_of(batch)
        points = [
            {
                "asInt": "1",
                "attributes": [{"key": "batch", "value": {"stringValue": batch}}],
                "startTimeUnixNano": str(end - (size - number) * 1_000),
                "timeUnixNano": str(end - (size - number - 1) * 1_000),
            }
            for number in range(size)
        ]
        summed = {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}
        scope = {"metrics": [{"name": "turns", "sum": summed}]}
        return posted(self.caller, "/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [scope]}]})


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
        if len(self.sent) % 2:
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
        return posted(self.caller, EVENTS, {"events": events})


class EventStreamRecorder(StreamRecorder):
    """The same, many batches in flight on one stream."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def answers(self) -> Any:
        stub: Any = LiveMetricsServiceStub(self.caller.channel)
        return stub.StreamEvents(self.requests(self._request), metadata=self.metadata)

    @staticmethod
    def _request(batch: str) -> Any:
        request = live_pb.StreamEventsRequest()
        for number in range(few_of(batch)):
            name = f"{batch}/{number}"
            event = request.events.add(
                event_id=name,
                type=live_pb.EVENT_TYPE_STARTED,
                call_id=name,
                tenant_id=batch,
            )
            event.occur_time.FromSeconds(1_743_498_000)
        return request


class CallsRecorder(Recorder):
    """Simulated calls over REST; each batch is an execution of its own."""

    def size_of(self, batch: str) -> int:
        return few_of(batch)

    def record(self, batch: str) -> bool:
        execution = execution_of(batch)
        started = {"execution_id": execution, "run_test_name": self.name}
        calls = [
            {
                "call_execution_id": str(uuid.uuid5(NAMESPACE, f"{batch}/{number}")),
                "execution_id": execution,
                "duration_seconds": number,
            }
            for number in range(few_of(batch))
        ]
        return posted(self.caller, f"{SIMULATION}/executions", started) and posted(
            self.caller, f"{SIMULATION}/calls", {"calls": calls}
        )


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


def calls_of(caller: Caller, batch: str) -> int:
    """Return how many calls the execution of a batch has."""
    answer = caller.rpc(
        "vumeter.simulation.v1.SimulationService/GetExecutionMetrics",
        {"execution_id": execution_of(batch)},
    )
    if answer.code == grpc.StatusCode.NOT_FOUND.value[0]:
        return 0
    return int(answer.body["execution"].get("calls", {}).get("total", 0))
