"""What callers record: executions and calls. What is answered stands in `aggregation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EXECUTION_STATUSES = (
    "pending",
    "running",
    "completed",
    "failed",
    "cancelling",
    "cancelled",
    "evaluating",
)
CALL_STATUSES = (
    "pending",
    "registered",
    "ongoing",
    "analyzing",
    "completed",
    "failed",
    "cancelled",
)

NUMBERS_BY_GROUP: Mapping[str, tuple[str, ...]] = {
    "": ("duration_seconds",),
    "latency": ("avg_agent_latency_ms", "response_time_ms"),
    "cost": ("total_cost_cents", "stt_cost_cents", "llm_cost_cents", "tts_cost_cents"),
    "conversation": (
        "user_wpm",
        "bot_wpm",
        "talk_ratio",
        "user_interruption_count",
        "user_interruption_rate",
        "ai_interruption_count",
        "ai_interruption_rate",
        "avg_stop_time_after_interruption_ms",
    ),
    "chat_metrics": (
        "input_tokens",
        "total_tokens",
        "output_tokens",
        "message_count",
        "turn_count",
        "avg_latency_ms",
        "csat_score",
    ),
}
"""The numbers of a call by the object that holds them; `""` is the call itself."""

NUMBER_PATHS = tuple(
    f"{group}.{name}" if group else name
    for group, names in NUMBERS_BY_GROUP.items()
    for name in names
)
NUMBER_NAMES = tuple(name for names in NUMBERS_BY_GROUP.values() for name in names)
OBJECT_PATHS = ("latency.customer_latency_metrics", "cost.customer_cost_breakdown")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionReport:
    """One run of a run test as reported; times in microseconds since the epoch."""

    execution_id: str
    run_test_name: str
    status: str = "pending"
    started_at: int | None = None
    completed_at: int | None = None
    total_calls: int | None = None
    completed_calls: int | None = None
    failed_calls: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CallReport:
    """One simulated call as reported.

    `numbers` are in the order of NUMBER_NAMES, None where not measured. The two free-form objects
    are compact JSON text, None where nothing was reported.
    """

    call_execution_id: str
    execution_id: str
    status: str
    numbers: tuple[float | None, ...]
    customer_latency_metrics: str | None = None
    customer_cost_breakdown: str | None = None
