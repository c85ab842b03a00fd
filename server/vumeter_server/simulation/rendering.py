"""The documented JSON of simulation metrics; keys in the documented order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from vumeter_server.simulation import pages
from vumeter_server.simulation.aggregation import (
    MEANS,
    SUMS,
    ExecutionMetrics,
    percentile_name,
)
from vumeter_server.simulation.compare import Comparison
from vumeter_server.simulation.model import NUMBER_NAMES, NUMBERS_BY_GROUP, CallReport
from vumeter_server.simulation.store import ExecutionsPage, RunTest
from vumeter_server.times.rfc3339 import format_rfc3339

# The document prints these with a decimal even where they are whole.
_WITH_DECIMAL = frozenset(
    {"user_wpm", "bot_wpm", "talk_ratio", "user_interruption_rate", "ai_interruption_rate"}
)

# Of all sums and statuses, the document shows these.
_SUMS_SHOWN = ("total_duration_seconds",)
_STATUSES_SHOWN = ("completed", "failed", "pending")


def answer(result: object) -> bytes:
    """Return the JSON of a whole answer: `{"status": true, "result": ...}`."""
    return orjson.dumps({"status": True, "result": result})


def call_json(call: CallReport) -> Mapping[str, Any]:
    """A call by `call_execution_id`: null where nothing was measured, but for `chat_metrics`."""
    numbers = {
        name: _number(name, value) for name, value in zip(NUMBER_NAMES, call.numbers, strict=True)
    }

    def group(name: str) -> dict[str, Any]:
        return {number: numbers[number] for number in NUMBERS_BY_GROUP[name]}

    return {
        "call_execution_id": call.call_execution_id,
        "execution_id": call.execution_id,
        "status": call.status,
        "duration_seconds": numbers["duration_seconds"],
        "latency": group("latency")
        | {"customer_latency_metrics": orjson.Fragment(call.customer_latency_metrics or "{}")},
        "cost": group("cost")
        | {"customer_cost_breakdown": orjson.Fragment(call.customer_cost_breakdown or "{}")},
        "conversation": group("conversation"),
        "chat_metrics": {
            name: value for name, value in group("chat_metrics").items() if value is not None
        },
    }


def _number(name: str, value: float | None) -> float | None:
    if value is None or name in _WITH_DECIMAL or value >= 2**53 or value != int(value):
        return value
    return int(value)


def execution_json(execution: ExecutionMetrics) -> Mapping[str, Any]:
    """An execution by `execution_id`: a mean is 0 when no call reported a value."""
    report, totals = execution.report, execution.totals
    groups: dict[str, dict[str, Any]] = {"latency": {}, "conversation": {}, "chat": {}}
    for metric in MEANS:
        groups[metric.group][metric.name] = totals.mean(metric) or 0.0
    groups["latency"]["percentiles"] = {
        percentile_name(percentile): value for percentile, value in execution.percentiles
    }
    return {
        "execution_id": report.execution_id,
        "status": report.status,
        "started_at": _time(report.started_at),
        "completed_at": _time(report.completed_at),
        "total_calls": execution.total_calls,
        "completed_calls": execution.completed_calls,
        "failed_calls": execution.failed_calls,
        "metrics": {
            "latency": groups["latency"],
            "cost": {name: totals.sum_of(SUMS[name]) or 0 for name in _SUMS_SHOWN},
            "conversation": groups["conversation"],
            "chat": groups["chat"],
            "calls": {
                "total": totals.all_calls,
                **{status: totals.calls_with(status) for status in _STATUSES_SHOWN},
            },
        },
    }


def _time(instant_us: int | None) -> str | None:
    return None if instant_us is None else format_rfc3339(instant_us, decimals=3)


def page_json(found: ExecutionsPage, *, page: int, limit: int) -> Mapping[str, Any]:
    """A page of the executions of a run test."""
    return {
        "total_pages": pages.total_pages(found.count, limit),
        "current_page": page,
        "count": found.count,
        "results": [execution_json(execution) for execution in found.executions],
    }


def run_test_json(run_test: RunTest) -> Mapping[str, Any]:
    """Write a run test of the list."""
    return {
        "run_test_name": run_test.run_test_name,
        "execution_count": run_test.execution_count,
        "last_started_at": _time(run_test.last_started_at),
    }


def comparison_json(comparison: Comparison) -> Mapping[str, Any]:
    """Two executions side by side."""
    return {
        "baseline": execution_json(comparison.baseline),
        "candidate": execution_json(comparison.candidate),
        "metrics": [
            {
                "metric": row.metric,
                "baseline": row.baseline,
                "candidate": row.candidate,
                "difference": row.difference,
                "difference_percent": row.difference_percent,
                "better": row.better.value,
                "verdict": row.verdict.value,
            }
            for row in comparison.metrics
        ],
    }
