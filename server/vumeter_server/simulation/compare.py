"""Two executions side by side, metric by metric, and the limits that a candidate must keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation.aggregation import (
    DOCUMENTED_PERCENTILES,
    PERCENTILE_GROUP,
    ExecutionMetrics,
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
    by_metric = {row.metric: row for row in rows}
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        metrics=rows,
        thresholds=[_checked(each, by_metric[each.metric]) for each in thresholds],
    )


def check_thresholds(thresholds: Sequence[Threshold]) -> None:
    """Reject thresholds that cannot be checked.

    Raises:
        InvalidArgument: too many of them, an unknown metric, or a number that is not finite.
    """
    if len(thresholds) > MAX_THRESHOLDS:
        raise InvalidArgument.of("thresholds", f"must hold at most {MAX_THRESHOLDS} thresholds")
    for place, threshold in enumerate(thresholds):
        if threshold.metric not in METRICS:
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


def _checked(threshold: Threshold, row: ComparedMetric) -> ThresholdResult:
    limit = _limit(threshold, row.baseline)
    outcome = Outcome.UNKNOWN
    if limit is not None and row.candidate is not None:
        value = exact(row.candidate)
        kept = value <= limit if threshold.bound.is_upper else value >= limit
        outcome = Outcome.WITHIN if kept else Outcome.EXCEEDED
    return ThresholdResult(
        threshold=threshold,
        limit=None if limit is None else float(limit),
        candidate=row.candidate,
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
