"""A run test of twelve nightly executions, thirty calls each; the tenth is a regression.

The same calls come out every time; only the nights move with the day of loading, so that the last
execution is last night's. Later the nights since are added.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc.aio

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1 import simulation_pb2_grpc
from vumeter_server.demo.stage import MAX_EXTENDED_DAYS, Demo, ShowProgress, Stage
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US

RUN_TEST = "My Agent Test"
EXECUTIONS = 12
CALLS = 30
REGRESSION = 10

_BEGINS_AT_US = 2 * HOUR_US
_NAMESPACE = uuid.UUID("5819e158-0000-4000-8000-000000000000")


def execution_id(number: int) -> str:
    """Return the id of an execution, counted from 1, the oldest."""
    return _id(f"execution {number}")


def call_id(number: int, call: int) -> str:
    """Return the id of a call of an execution, both counted from 1."""
    return _id(f"execution {number} call {call}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Agent:
    """How the agent under test does on one night."""

    latency_ms: float
    interruption_rate: float
    csat_score: float
    stop_time_ms: float


def _agent(number: int) -> _Agent:
    if number == REGRESSION:
        return _Agent(latency_ms=2_150, interruption_rate=1.4, csat_score=3.1, stop_time_ms=1_450)
    # Each night's prompt is a little quicker than the one before.
    return _Agent(
        latency_ms=1_320 - 18 * number, interruption_rate=0.4, csat_score=4.3, stop_time_ms=620
    )


def demo_executions(now_us: int) -> Iterator[tuple[pb.Execution, list[pb.Call]]]:
    """Yield the executions with their calls, oldest first; the newest began last night."""
    last_us = _last_night(now_us)
    for number in range(1, EXECUTIONS + 1):
        rng = random.Random(number)  # noqa: S311 - the same calls every time
        started_us = last_us - (EXECUTIONS - number) * DAY_US
        yield _night(rng, f"execution {number}", started_us, _agent(number))


def later_executions(from_us: int, now_us: int) -> Iterator[tuple[pb.Execution, list[pb.Call]]]:
    """Yield the executions of the nights since `from_us`, as the newest agent does them."""
    first_us = max(_last_night(from_us), _last_night(now_us) - MAX_EXTENDED_DAYS * DAY_US) + DAY_US
    for started_us in range(first_us, _last_night(now_us) + 1, DAY_US):
        name = f"night {datetime.fromtimestamp(started_us // SECOND_US, UTC):%Y-%m-%d}"
        rng = random.Random(f"vumeter demo {name}")  # noqa: S311 - see above
        yield _night(rng, name, started_us, _agent(EXECUTIONS))


def _last_night(now_us: int) -> int:
    """Return when the last execution began that had half an hour to end."""
    tonight_us = now_us - now_us % DAY_US + _BEGINS_AT_US
    return tonight_us if tonight_us + 30 * MINUTE_US <= now_us else tonight_us - DAY_US


def _night(
    rng: random.Random, name: str, started_us: int, agent: _Agent
) -> tuple[pb.Execution, list[pb.Call]]:
    took_ms = rng.randrange(18 * 60_000, 24 * 60_000)
    execution = pb.Execution(
        execution_id=_id(name), run_test_name=RUN_TEST, status=pb.EXECUTION_STATUS_COMPLETED
    )
    execution.start_time.FromMicroseconds(started_us)
    execution.end_time.FromMicroseconds(started_us + took_ms * 1_000)
    return execution, [_call(rng, name, call, agent) for call in range(1, CALLS + 1)]


def _id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


def _call(rng: random.Random, name: str, call: int, agent: _Agent) -> pb.Call:
    status = rng.choices(
        (pb.CALL_STATUS_COMPLETED, pb.CALL_STATUS_FAILED, pb.CALL_STATUS_CANCELLED), (27, 2, 1)
    )[0]
    recorded = pb.Call(
        call_execution_id=_id(f"{name} call {call}"),
        execution_id=_id(name),
        status=status,
    )
    if status != pb.CALL_STATUS_CANCELLED:
        _add_measurements(recorded, rng, agent)
    return recorded


def _add_measurements(call: pb.Call, rng: random.Random, agent: _Agent) -> None:
    latency = max(320.0, rng.gauss(agent.latency_ms, agent.latency_ms * 0.12))
    seconds = rng.randrange(45, 180)
    turns = seconds // 9
    input_tokens, output_tokens = turns * rng.randrange(700, 1_300), turns * 21
    interruptions = round(rng.expovariate(1 / agent.interruption_rate) * seconds / 60)
    llm, stt, tts = input_tokens // 1_500, seconds // 20, seconds // 12
    call.duration_seconds = seconds
    call.latency.MergeFrom(
        pb.CallLatency(avg_agent_latency_ms=round(latency), response_time_ms=round(latency * 1.08))
    )
    call.cost.MergeFrom(
        pb.CallCost(
            total_cost_cents=llm + stt + tts,
            stt_cost_cents=stt,
            llm_cost_cents=llm,
            tts_cost_cents=tts,
        )
    )
    call.conversation.MergeFrom(
        pb.CallConversation(
            user_wpm=round(rng.gauss(148, 14), 2),
            bot_wpm=round(rng.gauss(182, 9), 2),
            talk_ratio=round(rng.uniform(0.8, 2.4), 3),
            user_interruption_count=interruptions,
            user_interruption_rate=round(interruptions / seconds * 60, 2),
            ai_interruption_count=interruptions // 2,
            ai_interruption_rate=round(interruptions // 2 / seconds * 60, 2),
            avg_stop_time_after_interruption_ms=round(rng.gauss(agent.stop_time_ms, 90)),
        )
    )
    call.chat_metrics.MergeFrom(
        pb.CallChatMetrics(
            input_tokens=input_tokens,
            total_tokens=input_tokens + output_tokens,
            output_tokens=output_tokens,
            message_count=2 * turns,
            turn_count=turns,
            avg_latency_ms=round(latency * 0.55, 1),
            csat_score=min(5.0, max(1.0, round(rng.gauss(agent.csat_score, 0.4), 1))),
        )
    )
    call.latency.customer_latency_metrics.update(
        {"bot_wpm": call.conversation.bot_wpm, "user_wpm": call.conversation.user_wpm}
    )


async def load(stage: Stage, show_progress: ShowProgress) -> int:
    """Record the demo, or what it lacks since; loading the same again replaces it.

    A run test that was deleted meanwhile stays deleted.
    """
    key_id, _, secret = stage.bearer.partition(".")
    metadata = (("x-api-key", key_id), ("x-secret-key", secret))
    recorded = 0
    async with stage.channel() as channel:
        stub = simulation_pb2_grpc.SimulationServiceStub(channel)
        executions = list(demo_executions(stage.begun_us))
        if stage.from_us is not None:
            executions = list(later_executions(stage.from_us, stage.begun_us))
            if not await _has_run_test(stub, metadata):
                return 0
        for number, (execution, calls) in enumerate(executions, start=1):
            await stub.RecordExecution(
                pb.RecordExecutionRequest(execution=execution), metadata=metadata
            )
            answer = await stub.RecordCalls(pb.RecordCallsRequest(calls=calls), metadata=metadata)
            recorded += answer.recorded
            show_progress(number / len(executions))
    return recorded


async def _has_run_test(stub: Any, metadata: Any) -> bool:
    request = pb.ListExecutionMetricsRequest(run_test_name=RUN_TEST, page_size=1)
    try:
        await stub.ListExecutionMetrics(request, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return False
        raise
    return True


DEMO = Demo(family="simulation", load=load, what="simulated calls")
