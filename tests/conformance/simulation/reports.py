"""Reports as tests record them, and strategies that draw them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from vumeter_server.simulation.model import (
    CALL_STATUSES,
    EXECUTION_STATUSES,
    NUMBER_NAMES,
    CallReport,
    ExecutionReport,
)

RUN_TEST = "My Agent Test"


def execution_id(number: int) -> str:
    """The id of an execution."""
    return f"5819e158-0000-4000-8000-{number:012x}"


def call_id(number: int) -> str:
    """The id of a call."""
    return f"5af9e484-0000-4000-8000-{number:012x}"


def execution(number: int = 1, **fields: Any) -> ExecutionReport:
    """The report of an execution of RUN_TEST, unless `fields` say otherwise."""
    fields.setdefault("run_test_name", RUN_TEST)
    return ExecutionReport(execution_id=execution_id(number), **fields)


def call(number: int, of: int = 1, status: str = "completed", **numbers: float) -> CallReport:
    """The report of a call."""
    return CallReport(
        call_execution_id=call_id(number),
        execution_id=execution_id(of),
        status=status,
        numbers=tuple(numbers.get(name) for name in NUMBER_NAMES),
    )


_counts = st.none() | st.integers(0, 2**53 - 1)
# Of every size that may be recorded, with at most 6 decimals.
_values = st.none() | st.sampled_from([0.0, 0.217, 640.0, 640.5, 1234.0, 1e15, 1.7e308])
_objects = st.none() | st.sampled_from(['{"bot_wpm":233.69}', '{"wörter":[null,true]}'])

execution_reports = st.builds(
    ExecutionReport,
    execution_id=st.integers(0, 3).map(execution_id),
    run_test_name=st.sampled_from(("b", "a", "ä")),
    status=st.sampled_from(EXECUTION_STATUSES),
    started_at=st.none() | st.sampled_from([-62_135_596_800_000_000, 0, 7, 1_764_490_000_000_000]),
    completed_at=st.none() | st.just(1_764_490_000_000_001),
    total_calls=_counts,
    completed_calls=_counts,
    failed_calls=_counts,
)
call_reports = st.builds(
    CallReport,
    call_execution_id=st.integers(0, 7).map(call_id),
    execution_id=st.integers(0, 3).map(execution_id),
    status=st.sampled_from(CALL_STATUSES),
    numbers=st.tuples(*[_values for _ in NUMBER_NAMES]),
    customer_latency_metrics=_objects,
    customer_cost_breakdown=_objects,
)
