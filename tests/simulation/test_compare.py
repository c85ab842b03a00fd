from __future__ import annotations

import pytest

from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation.aggregation import CallTotals, ExecutionMetrics
from vumeter_server.simulation.compare import (
    METRICS,
    Bound,
    Outcome,
    Threshold,
    Verdict,
    check_thresholds,
    compare,
)
from vumeter_server.simulation.model import NUMBER_NAMES, ExecutionReport


def execution(
    percentiles: tuple[float, float, float] | None = None, **numbers: float
) -> ExecutionMetrics:
    """An execution of one call that reported `numbers`."""
    totals = CallTotals()
    totals.add("completed", [numbers.get(name) for name in NUMBER_NAMES])
    return ExecutionMetrics(
        report=ExecutionReport(
            execution_id="5819e158-0000-4000-8000-000000000001", run_test_name="My Agent Test"
        ),
        totals=totals,
        percentiles=tuple(zip((50.0, 95.0, 99.0), percentiles, strict=True)) if percentiles else (),
    )


def test_a_slower_candidate_is_worse_by_the_difference_of_the_rounded_values() -> None:
    comparison = compare(execution((3199.5, 3445.8, 3465.2)), execution((3199.5, 3600.0, 3400.0)))
    rows = {row.metric: row for row in comparison.metrics}
    p95 = rows["latency.percentiles.p95"]
    assert (p95.difference, p95.difference_percent) == (154.2, 4.48)
    assert (p95.better.value, p95.verdict) == ("lower", Verdict.WORSE)
    assert rows["latency.percentiles.p50"].verdict is Verdict.SAME
    assert rows["latency.percentiles.p99"].verdict is Verdict.BETTER
    assert rows["latency.percentiles.p99"].difference == -65.2


def test_the_ten_metrics_come_in_the_documented_order() -> None:
    comparison = compare(execution(), execution())
    assert tuple(row.metric for row in comparison.metrics) == METRICS
    assert METRICS == (
        "latency.avg_agent_latency_ms",
        "latency.avg_response_time_ms",
        "latency.percentiles.p50",
        "latency.percentiles.p95",
        "latency.percentiles.p99",
        "conversation.avg_user_interruption_rate",
        "conversation.avg_ai_interruption_rate",
        "conversation.avg_stop_time_after_interruption_ms",
        "chat.avg_chat_latency_ms",
        "chat.avg_csat_score",
    )


@pytest.mark.parametrize(
    ("metric", "limit"),
    [
        ("calls.failed", 0),
        ("calls.failed_percent", 0),
        ("cost.avg_total_cost_cents", 12.35),
        ("cost.total_cost_cents", 12.345),
        ("cost.tts_cost_cents", None),
    ],
)
def test_limits_may_name_costs_and_failed_calls(metric: str, limit: float | None) -> None:
    asked = [Threshold(metric=metric, bound=Bound.MAX_CHANGE, number=0)]
    check_thresholds(asked)
    (result,) = compare(execution(total_cost_cents=12.345), execution(), asked).thresholds
    assert result.limit == limit
    is_known = metric.startswith("calls.")
    assert result.outcome is (Outcome.WITHIN if is_known else Outcome.UNKNOWN)


def test_a_higher_satisfaction_is_better() -> None:
    comparison = compare(execution(csat_score=4.0), execution(csat_score=4.5))
    row = comparison.metrics[-1]
    assert (row.metric, row.better.value) == ("chat.avg_csat_score", "higher")
    assert (row.difference, row.difference_percent, row.verdict) == (0.5, 12.5, Verdict.BETTER)


def test_a_value_that_no_call_reported_makes_the_verdict_unknown() -> None:
    comparison = compare(execution(), execution(avg_agent_latency_ms=640.0))
    row = comparison.metrics[0]
    assert (row.baseline, row.candidate, row.difference) == (None, 640.0, None)
    assert (row.difference_percent, row.verdict) == (None, Verdict.UNKNOWN)


def test_there_is_no_percentage_of_a_baseline_of_zero() -> None:
    comparison = compare(
        execution(user_interruption_rate=0.0), execution(user_interruption_rate=0.67)
    )
    row = comparison.metrics[5]
    assert (row.difference, row.difference_percent, row.verdict) == (0.67, None, Verdict.WORSE)


@pytest.mark.parametrize(
    ("bound", "number", "limit", "outcome"),
    [
        (Bound.MAX_CHANGE_PERCENT, 10.0, 1100.0, Outcome.WITHIN),
        (Bound.MAX_CHANGE_PERCENT, 5.0, 1050.0, Outcome.WITHIN),
        (Bound.MAX_CHANGE_PERCENT, 4.9, 1049.0, Outcome.EXCEEDED),
        (Bound.MAX_CHANGE, 40.0, 1040.0, Outcome.EXCEEDED),
        (Bound.MAX_CHANGE, 50.0, 1050.0, Outcome.WITHIN),
        (Bound.MAX_VALUE, 1049.9, 1049.9, Outcome.EXCEEDED),
        (Bound.MIN_CHANGE_PERCENT, -5.0, 950.0, Outcome.WITHIN),
        (Bound.MIN_CHANGE, 51.0, 1051.0, Outcome.EXCEEDED),
        (Bound.MIN_VALUE, 1050.0, 1050.0, Outcome.WITHIN),
    ],
)
def test_a_candidate_at_the_limit_keeps_it(
    bound: Bound, number: float, limit: float, outcome: Outcome
) -> None:
    threshold = Threshold(metric="latency.avg_agent_latency_ms", bound=bound, number=number)
    comparison = compare(
        execution(avg_agent_latency_ms=1000.0),
        execution(avg_agent_latency_ms=1050.0),
        [threshold],
    )
    result = comparison.thresholds[0]
    assert (result.limit, result.candidate, result.outcome) == (limit, 1050.0, outcome)


def test_a_limit_on_a_value_that_nobody_reported_is_unknown() -> None:
    relative = Threshold(metric="chat.avg_csat_score", bound=Bound.MIN_CHANGE_PERCENT, number=-5.0)
    absolute = Threshold(metric="chat.avg_csat_score", bound=Bound.MIN_VALUE, number=4.0)
    comparison = compare(execution(), execution(csat_score=4.0), [relative, absolute])
    assert [(each.limit, each.outcome) for each in comparison.thresholds] == [
        (None, Outcome.UNKNOWN),
        (4.0, Outcome.WITHIN),
    ]


@pytest.mark.parametrize(
    ("metric", "number", "message"),
    [
        (
            "latency.p95",
            10.0,
            "thresholds[0].metric must be a compared metric such as latency.percentiles.p95",
        ),
        (
            "latency.percentiles.p95",
            float("nan"),
            "thresholds[0].max_change_percent must be finite",
        ),
    ],
)
def test_a_threshold_that_cannot_be_checked_is_refused(
    metric: str, number: float, message: str
) -> None:
    threshold = Threshold(metric=metric, bound=Bound.MAX_CHANGE_PERCENT, number=number)
    with pytest.raises(InvalidArgument) as refused:
        check_thresholds([threshold])
    assert refused.value.message == message
