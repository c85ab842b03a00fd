"""What is asked of a server on a damaged file: typed calls, in the JSON of their protos."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as custom
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc
from vumeter.live_metrics.v1 import live_metrics_pb2 as live
from vumeter.live_metrics.v1 import live_metrics_pb2_grpc
from vumeter.simulation.v1 import simulation_pb2 as simulation
from vumeter.simulation.v1 import simulation_pb2_grpc

TOKEN: Final = "token-of-the-tests-0123456789abcdef"
NOW_US: Final = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
_SERVICES: Final[dict[str, tuple[Any, Any]]] = {
    "custom": (custom, custom_metrics_pb2_grpc.CustomMetricsServiceStub),
    "live": (live, live_metrics_pb2_grpc.LiveMetricsServiceStub),
    "simulation": (simulation, simulation_pb2_grpc.SimulationServiceStub),
    "otlp": (
        SimpleNamespace(ExportRequest=metrics_service_pb2.ExportMetricsServiceRequest),
        metrics_service_pb2_grpc.MetricsServiceStub,
    ),
}
# Two executions, as their calls are: one with more calls than two pages of latencies hold.
EXECUTIONS: Final = {
    "11111111-1111-4111-8111-111111111111": 1_100,
    "22222222-2222-4222-8222-222222222222": 40,
}
_DECEMBER = {"startTime": "2025-12-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"}
_EDGES = {"startTime": "2025-12-03T07:11:13Z", "endTime": "2025-12-29T19:23:31Z"}
_HISTORY = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T12:00:00Z", "step": "3600s"}

Answer = tuple[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A typed call: `custom.AggregateMetrics` with a request in the JSON of its proto."""

    method: str
    request: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method}({self.request})"

    async def answered(self, channel: grpc.aio.Channel, bearer: str) -> Answer:
        """Return OK and the answer, or the name of the status and its message."""
        family, _, name = self.method.partition(".")
        module, stub = _SERVICES[family]
        request: Message = ParseDict(self.request, getattr(module, f"{name}Request")())
        key_id, _, secret = bearer.partition(".")
        metadata = {
            "custom": [("authorization", f"Bearer {bearer}")],
            "otlp": [("authorization", f"Bearer {bearer}")],
            "live": [("x-admin-token", TOKEN)],
            "simulation": [("x-api-key", key_id), ("x-secret-key", secret)],
        }[family]
        call: Any = getattr(stub(channel), name)
        try:
            return "OK", MessageToDict(await call(request, metadata=metadata, timeout=20))
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()


QUERIES: Final = (
    Ask(method="custom.ListMetricNames"),
    Ask(method="custom.ListMetricNames", request={"agentId": "agent-1"}),
    Ask(method="custom.AggregateMetrics", request={"selection": _DECEMBER}),
    *(
        Ask(method="custom.AggregateMetrics", request={"selection": _EDGES, "groupBy": [label]})
        for label in ("agent_id", "language")
    ),
    Ask(
        method="custom.AggregateMetrics",
        request={"selection": {**_EDGES, "tags": {"language": "en"}}, "groupBy": ["tier"]},
    ),
    Ask(method="custom.ListDailyMetrics", request={"selection": _DECEMBER}),
    Ask(
        method="custom.ListDailyMetrics",
        request={"selection": _EDGES, "timeZone": "Asia/Kolkata", "groupBy": ["language"]},
    ),
    *(
        Ask(
            method="custom.QueryTimeseries",
            request={"selection": selection, "metricName": name, "step": "21600s"},
        )
        for name in ("turns", "e2e_latency_ms", "queue_depth", "answer_ms")
        for selection in (_DECEMBER, {**_EDGES, "agentId": "agent-2"})
    ),
    Ask(method="custom.ListTags"),
    Ask(method="custom.ListTags", request={"metricName": "turns"}),
    Ask(method="custom.GetSessionMetrics", request={"sessionId": "session-3"}),
    Ask(method="custom.GetSessionMetrics", request={"sessionId": "session-17"}),
    Ask(method="custom.GetSessionMetrics", request={"sessionId": "session-of-distributions-3"}),
    Ask(method="live.GetLiveMetrics"),
    Ask(method="live.GetLiveMetrics", request={"tenantId": "clinic-1"}),
    Ask(method="live.GetCapacity"),
    Ask(method="live.ListTenants"),
    Ask(method="live.GetHistory", request=_HISTORY),
    Ask(method="live.GetHistory", request={**_HISTORY, "tenantId": "clinic-2", "step": "60s"}),
    Ask(method="simulation.ListRunTests"),
    Ask(method="simulation.ListExecutionMetrics", request={"runTestName": "Booking"}),
    *(
        Ask(
            method="simulation.GetExecutionMetrics",
            request={"executionId": execution, "percentiles": [50, 90, 99.5]},
        )
        for execution in EXECUTIONS
    ),
    Ask(
        method="simulation.GetCallMetrics",
        request={"callExecutionId": "33333333-3333-4333-8333-000000000007"},
    ),
    Ask(
        method="simulation.CompareExecutions",
        request={"baselineExecutionId": next(iter(EXECUTIONS)), "executionId": list(EXECUTIONS)[1]},
    ),
)


def _point(number: int) -> dict[str, Any]:
    name = ("turns", "e2e_latency_ms", "queue_depth")[number % 3]
    kind = ("COUNTER", "HISTOGRAM", "GAUGE")[number % 3]
    # From 12 hours to 31 days ago.
    seconds = 43_200 + number * 7_919 % (30 * 86_400)
    return {
        "name": name,
        "type": f"METRIC_TYPE_{kind}",
        "value": (number * 37 % 9_000) / 10 + number % 7,
        "occurTime": _rfc3339(NOW_US - seconds * 1_000_000),
        "agentId": f"agent-{number % 5}",
        "environmentId": "production" if number % 4 else "staging",
        "sessionId": f"session-{number % 40}",
        "tags": {"language": ("en", "de", "hi")[number % 3], "tier": f"tier-{number % 11}"},
    }


def _rfc3339(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def points(first: int, count: int) -> Ask:
    """Return the recording of that many points."""
    made = [_point(number) for number in range(first, first + count)]
    return Ask(method="custom.RecordPoints", request={"points": made})


def distributions(first: int, count: int) -> Ask:
    """Return the recording of that many distributions."""
    made = [
        {
            **_point(number),
            "name": "answer_ms",
            "type": "METRIC_TYPE_HISTOGRAM",
            "sessionId": f"session-of-distributions-{number % 5}",
            "distribution": {
                "count": 7,
                "sum": 3_500 + number,
                "bounds": [400 + number % 90, 1_000],
                "bucketCounts": [2, 5, 0],
            },
        }
        for number in range(first, first + count)
    ]
    for each in made:
        del each["value"]
    return Ask(method="custom.RecordPoints", request={"points": made})


def cumulative_sums(seconds_ago: int) -> Ask:
    """Return the export of the cumulative sums of some series."""
    nanoseconds = [str((NOW_US - each * 1_000_000) * 1_000) for each in (7_200, seconds_ago)]
    points = [
        {
            "startTimeUnixNano": nanoseconds[0],
            "timeUnixNano": nanoseconds[1],
            "asDouble": 9_000 - seconds_ago + series / 7,
            "attributes": [{"key": "room", "value": {"stringValue": f"room-{series}"}}],
        }
        for series in range(20)
    ]
    metric = {
        "name": "audio_bytes",
        "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": points},
    }
    return Ask(
        method="otlp.Export",
        request={"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]},
    )


def calls(first: int, count: int) -> Ask:
    """Return the recording of the events of that many calls, of which a third goes on."""
    events = []
    for number in range(first, first + count):
        began = NOW_US - (600 + number * 53 % 36_000) * 1_000_000
        steps = ("ACCEPTED", "STARTED", "REFERRED", "ENDED")[: 4 if number % 3 else 2]
        for place, step in enumerate(steps):
            event = {
                "eventId": f"event-{number}-{step}",
                "callId": f"call-of-the-clinic-{number}",
                "tenantId": f"clinic-{number % 6}",
                "type": f"EVENT_TYPE_{step}",
                "occurTime": _rfc3339(began + place * 60_000_000),
            }
            if step == "ENDED":
                event["outcome"] = "CALL_OUTCOME_COMPLETED"
            events.append(event)
    return Ask(method="live.RecordEvents", request={"events": events})


def simulated_calls(execution: str, first: int, count: int) -> Ask:
    """Return the recording of that many simulated calls."""
    made = [
        {
            "callExecutionId": f"33333333-3333-4333-8333-{number:012d}",
            "executionId": execution,
            "status": "CALL_STATUS_COMPLETED",
            "durationSeconds": 61.5 + number % 90,
            "latency": {"avgAgentLatencyMs": 600 + number * 17 % 900, "responseTimeMs": 420},
            "cost": {"totalCostCents": 3.25 + number % 5},
        }
        for number in range(first, first + count)
    ]
    return Ask(method="simulation.RecordCalls", request={"calls": made})


RECORDINGS: Final = (
    points(50_000, 3),
    cumulative_sums(60),
    calls(50_000, 2),
    simulated_calls(next(iter(EXECUTIONS)), 50_000, 2),
)
