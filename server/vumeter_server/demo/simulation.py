"""A run test of twelve nightly executions, thirty calls each; the tenth is a regression.

The same calls come out every time; only the nights move with the day of loading, so that the last
execution is last night's.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vumeter_server.simulation.record import (
    NUMBER_NAMES,
    CallChecker,
    CallReport,
    ExecutionReport,
    checked_execution,
)
from vumeter_server.simulation.store import SimulationStore

RUN_TEST = "My Agent Test"
EXECUTIONS = 12
CALLS = 30
REGRESSION = 10

_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000
_BEGINS_AT_US = 2 * 3_600_000_000
_NAMESPACE = uuid.UUID("5819e158-0000-4000-8000-000000000000")


def execution_id(number: int) -> str:
    """Return the id of an execution, counted from 1, the oldest."""
    return str(uuid.uuid5(_NAMESPACE, f"execution {number}"))


def call_id(number: int, call: int) -> str:
    """Return the id of a call of an execution, both counted from 1."""
    return str(uuid.uuid5(_NAMESPACE, f"execution {number} call {call}"))


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


def demo_executions(now_us: int) -> Iterator[tuple[ExecutionReport, list[CallReport]]]:
    """Yield the executions with their calls, oldest first; the newest began last night."""
    tonight_us = now_us - now_us % _DAY_US + _BEGINS_AT_US
    last_us = tonight_us if tonight_us + 30 * _MINUTE_US <= now_us else tonight_us - _DAY_US
    for number in range(1, EXECUTIONS + 1):
        random_ = random.Random(number)  # noqa: S311 - the same calls every time
        started_at = last_us - (EXECUTIONS - number) * _DAY_US
        report = checked_execution(
            execution_id=execution_id(number),
            run_test_name=RUN_TEST,
            status="completed",
            started_at=started_at,
            completed_at=started_at + random_.randrange(18 * 60_000, 24 * 60_000) * 1_000,
            counts=(None, None, None),
        )
        checker = CallChecker()
        for call in range(1, CALLS + 1):
            _add_call(checker, random_, _agent(number), number, call)
        yield report, checker.reports()


def _add_call(
    checker: CallChecker, random_: random.Random, agent: _Agent, number: int, call: int
) -> None:
    status = random_.choices(("completed", "failed", "cancelled"), (27, 2, 1))[0]
    if status == "cancelled":
        numbers: dict[str, float] = {}
    else:
        numbers = _numbers(random_, agent)
    checker.add(
        call_execution_id=call_id(number, call),
        execution_id=execution_id(number),
        status=status,
        numbers=[numbers.get(name) for name in NUMBER_NAMES],
        objects=({"bot_wpm": numbers["bot_wpm"]} if numbers else None, None),
    )


def _numbers(random_: random.Random, agent: _Agent) -> dict[str, float]:
    latency = max(320.0, random_.gauss(agent.latency_ms, agent.latency_ms * 0.12))
    seconds = random_.randrange(45, 180)
    turns = seconds // 9
    input_tokens, output_tokens = turns * random_.randrange(700, 1_300), turns * 21
    interruptions = round(random_.expovariate(1 / agent.interruption_rate) * seconds / 60)
    llm, stt, tts = input_tokens // 1_500, seconds // 20, seconds // 12
    return {
        "duration_seconds": seconds,
        "avg_agent_latency_ms": round(latency),
        "response_time_ms": round(latency * 1.08),
        "total_cost_cents": llm + stt + tts,
        "stt_cost_cents": stt,
        "llm_cost_cents": llm,
        "tts_cost_cents": tts,
        "user_wpm": round(random_.gauss(148, 14), 2),
        "bot_wpm": round(random_.gauss(182, 9), 2),
        "talk_ratio": round(random_.uniform(0.8, 2.4), 3),
        "user_interruption_count": interruptions,
        "user_interruption_rate": round(interruptions / seconds * 60, 2),
        "ai_interruption_count": interruptions // 2,
        "ai_interruption_rate": round(interruptions // 2 / seconds * 60, 2),
        "avg_stop_time_after_interruption_ms": round(random_.gauss(agent.stop_time_ms, 90)),
        "input_tokens": input_tokens,
        "total_tokens": input_tokens + output_tokens,
        "output_tokens": output_tokens,
        "message_count": 2 * turns,
        "turn_count": turns,
        "avg_latency_ms": round(latency * 0.55, 1),
        "csat_score": min(5.0, max(1.0, round(random_.gauss(agent.csat_score, 0.4), 1))),
    }


async def load(
    store: SimulationStore,
    organization_id: int,
    now_us: int,
    advance: Callable[[int], None] = lambda _calls: None,
) -> None:
    """Record the demo; `advance` is told how many calls were recorded since it was told last.

    Loading it again replaces it.
    """
    for report, calls in demo_executions(now_us):
        await store.record_execution(organization_id, report)
        await store.record_calls(organization_id, calls)
        advance(len(calls))
