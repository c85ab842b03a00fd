"""The JSON bodies of recordings, as they may be written, and the reports that they become."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType

from vumeter_server.simulation.model import (
    NUMBERS_BY_GROUP,
    OBJECT_PATHS,
    CallReport,
    ExecutionReport,
)
from vumeter_server.simulation.validation import CallChecker, check_batch_size, checked_execution
from vumeter_server.times.rfc3339 import parse_rfc3339

T = TypeVar("T")

Text = str | None | UnsetType
Number = float | None | UnsetType
FreeForm = dict[str, Any] | None | UnsetType


class ExecutionBody(Struct, forbid_unknown_fields=True):
    """POST /sdk/api/v1/simulation/executions; null is the same as absent."""

    execution_id: Text = UNSET
    run_test_name: Text = UNSET
    status: Text = UNSET
    started_at: Text = UNSET
    completed_at: Text = UNSET
    total_calls: Number = UNSET
    completed_calls: Number = UNSET
    failed_calls: Number = UNSET


class LatencyBody(Struct, forbid_unknown_fields=True):
    """`latency` of a call."""

    avg_agent_latency_ms: Number = UNSET
    response_time_ms: Number = UNSET
    customer_latency_metrics: FreeForm = UNSET


class CostBody(Struct, forbid_unknown_fields=True):
    """`cost` of a call."""

    total_cost_cents: Number = UNSET
    stt_cost_cents: Number = UNSET
    llm_cost_cents: Number = UNSET
    tts_cost_cents: Number = UNSET
    customer_cost_breakdown: FreeForm = UNSET


class ConversationBody(Struct, forbid_unknown_fields=True):
    """`conversation` of a call."""

    user_wpm: Number = UNSET
    bot_wpm: Number = UNSET
    talk_ratio: Number = UNSET
    user_interruption_count: Number = UNSET
    user_interruption_rate: Number = UNSET
    ai_interruption_count: Number = UNSET
    ai_interruption_rate: Number = UNSET
    avg_stop_time_after_interruption_ms: Number = UNSET


class ChatBody(Struct, forbid_unknown_fields=True):
    """`chat_metrics` of a call."""

    input_tokens: Number = UNSET
    total_tokens: Number = UNSET
    output_tokens: Number = UNSET
    message_count: Number = UNSET
    turn_count: Number = UNSET
    avg_latency_ms: Number = UNSET
    csat_score: Number = UNSET


class CallBody(Struct, forbid_unknown_fields=True):
    """One call."""

    call_execution_id: Text = UNSET
    execution_id: Text = UNSET
    status: Text = UNSET
    duration_seconds: Number = UNSET
    latency: LatencyBody | UnsetType | None = UNSET
    cost: CostBody | UnsetType | None = UNSET
    conversation: ConversationBody | UnsetType | None = UNSET
    chat_metrics: ChatBody | UnsetType | None = UNSET


class CallsBody(Struct, forbid_unknown_fields=True):
    """POST /sdk/api/v1/simulation/calls."""

    calls: list[CallBody]


def _given(value: T | UnsetType | None) -> T | None:
    return None if isinstance(value, UnsetType) else value


def execution_report(body: ExecutionBody) -> ExecutionReport:
    """Return what the body reports; raises InvalidArgument naming the field at fault."""
    started_at, completed_at = _given(body.started_at), _given(body.completed_at)
    return checked_execution(
        execution_id=_given(body.execution_id) or "",
        run_test_name=_given(body.run_test_name) or "",
        status=_given(body.status),
        started_at=None if started_at is None else parse_rfc3339(started_at, "started_at"),
        completed_at=None if completed_at is None else parse_rfc3339(completed_at, "completed_at"),
        counts=[_given(body.total_calls), _given(body.completed_calls), _given(body.failed_calls)],
    )


def call_reports(body: CallsBody) -> list[CallReport]:
    """Return the calls of the body; raises InvalidArgument naming the fields at fault."""
    check_batch_size(len(body.calls))
    checker = CallChecker()
    for call in body.calls:
        add_call(checker, call)
    return checker.reports()


def add_call(checker: CallChecker, call: CallBody) -> None:
    """Check one call together with those that the checker has."""
    checker.add(
        call_execution_id=_given(call.call_execution_id) or "",
        execution_id=_given(call.execution_id) or "",
        status=_given(call.status),
        numbers=[
            _field(call, group, name) for group, names in NUMBERS_BY_GROUP.items() for name in names
        ],
        objects=[_field(call, *path.split(".")) for path in OBJECT_PATHS],
    )


def _field(call: CallBody, group: str, name: str) -> Any:
    held_by = getattr(call, group) if group else call
    return _given(getattr(held_by, name, None))
