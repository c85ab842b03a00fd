"""Two executions side by side, metric by metric, and the limits that a candidate must keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation.aggregation import (
    DOCUMENTED_PERCENTILES,
    PERCENTILE_GROUP,
    ExecutionMetrics,
    MeanMetric,
    percentile_name,
)
from vumeter_server.simulation.decimals import exact, round_fraction

MAX_THRESHOLDS = 100
PERCENT_DECIMALS = 2

_LOWER_IS_BETTER = (
    ("latency", "avg_agent_latency_ms"),
    ("latency", "avg_response_time_ms"),
    *((PERCENTILE_GROUP, percentile_name(each)) for each in DOCUMENTED_PERCENTILES),
    ("conversation", "avg_user_interruption_rate"),
    ("conversation", "avg_ai_interruption_rate"),
    ("conversation", "avg_stop_time_after_interruption_ms"),
    ("chat", "avg_chat_latency_ms"),
)
_HIGHER_IS_BETTER = (("chat", "avg_csat_score"),)

METRICS = tuple(f"{group}.{name}" for group, name in _LOWER_IS_BETTER + _HIGHER_IS_BETTER)

FAILED_PERCENT = "calls.failed_percent"
_COST_OF_A_CALL = MeanMetric(
    group="cost", name="avg_total_cost_cents", source="total_cost_cents", decimals=2
)


def _failed_percent(execution: ExecutionMetrics) -> float | None:
    if not execution.total_calls:
        return None
    share = Fraction(execution.failed_calls, execution.total_calls)
    return round_fraction(share * 100, PERCENT_DECIMALS)


# What a limit may name beside METRICS. These are sums and counts, of which a comparison cannot say
# which is the better one where the numbers of calls differ.
_LIMITED_ONLY: Mapping[str, Callable[[ExecutionMetrics], float | None]] = {
    "calls.failed": lambda execution: execution.failed_calls,
    FAILED_PERCENT: _failed_percent,
    "cost.avg_total_cost_cents": lambda execution: execution.totals.mean(_COST_OF_A_CALL),
    "cost.total_cost_cents": lambda execution: execution.totals.sum_of("total_cost_cents"),
    "cost.stt_cost_cents": lambda execution: execution.totals.sum_of("stt_cost_cents"),
    "cost.llm_cost_cents": lambda execution: execution.totals.sum_of("llm_cost_cents"),
    "cost.tts_cost_cents": lambda execution: execution.totals.sum_of("tts_cost_cents"),
}
LIMITED_METRICS = (*METRICS, *_LIMITED_ONLY)


class Better(Enum):
    """Which direction of a metric is the better one."""

    LOWER = "lower"
    HIGHER = "higher"


class Verdict(Enum):
    """How the candidate does on one metric."""

    UNKNOWN = "unknown"
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


class Outcome(Enum):
    """Whether a threshold is kept."""

    UNKNOWN = "unknown"
    WITHIN = "within"
    EXCEEDED = "exceeded"


class Bound(Enum):
    """What a threshold's number means; the values are the field names of the proto's `limit`."""

    MAX_CHANGE_PERCENT = "max_change_percent"
    MAX_CHANGE = "max_change"
    MAX_VALUE = "max_value"
    MIN_CHANGE_PERCENT = "min_change_percent"
    MIN_CHANGE = "min_change"
    MIN_VALUE = "min_value"

    @property
    def is_upper(self) -> bool:
        """Whether the candidate may not be above the limit, rather than not below."""
        return self.value.startswith("max_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A limit for one metric of the candidate."""

    metric: str
    bound: Bound
    number: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedMetric:
    """One metric of two executions. None where a value is unknown, or a percentage makes no sense.

    `difference` is candidate minus baseline, of the rounded values; `difference_percent` is rounded
    to 2 decimals.
    """

    metric: str
    baseline: float | None
    candidate: float | None
    difference: float | None
    difference_percent: float | None
    better: Better
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class ThresholdResult:
    """One threshold, what it comes to in the metric's unit, and whether the candidate keeps it."""

    threshold: Threshold
    limit: float | None
    candidate: float | None
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two executions, their metrics in the order of METRICS, and one result per threshold."""

    baseline: ExecutionMetrics
    candidate: ExecutionMetrics
    metrics: Sequence[ComparedMetric]
    thresholds: Sequence[ThresholdResult]


def compare(
    baseline: ExecutionMetrics, candidate: ExecutionMetrics, thresholds: Sequence[Threshold] = ()
) -> Comparison:
    """Set two executions side by side; both have the documented percentiles."""
    rows = [
        _compared(group, name, better, baseline, candidate)
        for better, metrics in (
            (Better.LOWER, _LOWER_IS_BETTER),
            (Better.HIGHER, _HIGHER_IS_BETTER),
        )
        for group, name in metrics
    ]
    values = {row.metric: (row.baseline, row.candidate) for row in rows} | {
        metric: (read(baseline), read(candidate)) for metric, read in _LIMITED_ONLY.items()
    }
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        metrics=rows,
        thresholds=[_checked(each, *values[each.metric]) for each in thresholds],
    )


def check_thresholds(thresholds: Sequence[Threshold]) -> None:
    """Reject thresholds that cannot be checked.

    Raises:
        InvalidArgument: too many of them, an unknown metric, or a number that is not finite.
    """
    if len(thresholds) > MAX_THRESHOLDS:
        raise InvalidArgument.of("thresholds", f"must hold at most {MAX_THRESHOLDS} thresholds")
    for place, threshold in enumerate(thresholds):
        if threshold.metric not in LIMITED_METRICS:
            problem = "must be a compared metric such as latency.percentiles.p95"
            raise InvalidArgument.of(f"thresholds[{place}].metric", problem)
        if not math.isfinite(threshold.number):
            field = f"thresholds[{place}].{threshold.bound.value}"
            raise InvalidArgument.of(field, "must be finite")


def _compared(
    group: str, name: str, better: Better, baseline: ExecutionMetrics, candidate: ExecutionMetrics
) -> ComparedMetric:
    before, after = baseline.value(group, name), candidate.value(group, name)
    difference = percent = None
    verdict = Verdict.UNKNOWN
    if before is not None and after is not None:
        change = exact(after) - exact(before)
        difference = float(change)
        percent = round_fraction(change / exact(before) * 100, PERCENT_DECIMALS) if before else None
        if change == 0:
            verdict = Verdict.SAME
        else:
            verdict = Verdict.BETTER if (change < 0) == (better is Better.LOWER) else Verdict.WORSE
    return ComparedMetric(
        metric=f"{group}.{name}",
        baseline=before,
        candidate=after,
        difference=difference,
        difference_percent=percent,
        better=better,
        verdict=verdict,
    )


def _checked(
    threshold: Threshold, baseline: float | None, candidate: float | None
) -> ThresholdResult:
    limit = _limit(threshold, baseline)
    outcome = Outcome.UNKNOWN
    if limit is not None and candidate is not None:
        value = exact(candidate)
        kept = value <= limit if threshold.bound.is_upper else value >= limit
        outcome = Outcome.WITHIN if kept else Outcome.EXCEEDED
    return ThresholdResult(
        threshold=threshold,
        limit=None if limit is None else float(limit),
        candidate=candidate,
        outcome=outcome,
    )


def _limit(threshold: Threshold, baseline: float | None) -> Fraction | None:
    number = exact(threshold.number)
    if threshold.bound in (Bound.MAX_VALUE, Bound.MIN_VALUE):
        return number
    if baseline is None:
        return None
    if threshold.bound in (Bound.MAX_CHANGE, Bound.MIN_CHANGE):
        return exact(baseline) + number
    return exact(baseline) * (1 + number / 100)
