"""What the clients of the soak send in a turn: exports, events of calls, simulated calls."""

from __future__ import annotations

import time
from typing import Any, Final

from bench.soak_acknowledged import CALLS_OF_EXECUTION, EXPORTED, RUN_TEST
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.simulation.v1 import simulation_pb2 as simulation_pb

TOPICS: Final = 50
CALLS_AT_ONCE: Final = 40
TURNS_A_CALL_LASTS: Final = 20
EXECUTIONS: Final = 500


def export_of(number: int, started_ns: int) -> tuple[str, dict[str, Any]]:
    """Return a topic, and an export of its cumulative series, whose value is the turn's number."""
    topic = f"t{number % TOPICS}"
    point = {
        "asInt": str(number),
        "attributes": [{"key": "topic", "value": {"stringValue": topic}}],
        "startTimeUnixNano": str(started_ns),
        "timeUnixNano": str(time.time_ns()),
    }
    summed = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
    scope = {"metrics": [{"name": EXPORTED, "sum": summed}]}
    return topic, {"resourceMetrics": [{"scopeMetrics": [scope]}]}


def events_of(number: int) -> live_pb.RecordEventsRequest:
    """Return the starts of the turn's calls, and the ends of those of some turns before."""
    request = live_pb.RecordEventsRequest()
    started, ended = live_pb.EVENT_TYPE_STARTED, live_pb.EVENT_TYPE_ENDED
    for turn, kind in ((number, started), (number - TURNS_A_CALL_LASTS, ended)):
        for call in range(CALLS_AT_ONCE if turn >= 0 else 0):
            name = f"soak-{turn}-{call}"
            event = request.events.add(
                event_id=f"{name}-{kind}", call_id=name, type=kind, tenant_id=f"t{call % 10}"
            )
            event.occur_time.GetCurrentTime()
            if kind == ended:
                event.outcome = live_pb.CALL_OUTCOME_COMPLETED
    return request


def simulated_calls_of(
    number: int,
) -> tuple[str, simulation_pb.RecordExecutionRequest, simulation_pb.RecordCallsRequest]:
    """Return the id of an execution, and what records it and its calls; they come again."""
    place = number % EXECUTIONS
    execution_id = f"5819e158-0000-4000-8000-{place:012}"
    execution = simulation_pb.Execution(execution_id=execution_id, run_test_name=RUN_TEST)
    calls = [
        simulation_pb.Call(
            call_execution_id=f"5af9e484-0000-4000-8000-{place * 100 + call:012}",
            execution_id=execution_id,
            duration_seconds=call,
        )
        for call in range(CALLS_OF_EXECUTION)
    ]
    return (
        execution_id,
        simulation_pb.RecordExecutionRequest(execution=execution),
        simulation_pb.RecordCallsRequest(calls=calls),
    )
