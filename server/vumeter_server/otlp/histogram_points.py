"""Points of histograms, explicit and exponential, as distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from vumeter_server.custom_metrics.distribution_rules import MAX_SCALE, problem_of
from vumeter_server.custom_metrics.exported import Reason
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
    at_scale,
)


class Rejected(Exception):
    """A point breaks a rule."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason
        self.problem = problem


def _histogram(point: Any) -> GivenDistribution:
    bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
    if not bounds:
        # One bucket of everything says no more than the count.
        counts = () if len(counts) <= 1 else counts
    return _checked(
        point,
        GivenDistribution(
            **_summary_of(point),
            bounds=bounds,
            counts=counts,
        ),
    )


def _exponential_histogram(point: Any) -> GivenDistribution:
    positive, negative = (
        ExponentialBuckets(side.offset, tuple(side.bucket_counts))
        for side in (point.positive, point.negative)
    )
    given = GivenDistribution(
        **_summary_of(point),
        scale=point.scale,
        zero_count=point.zero_count,
        positive=positive,
        negative=negative,
    )
    return _checked(point, at_scale(given, MAX_SCALE))


def _summary_of(point: Any) -> dict[str, Any]:
    if point.count and not point.HasField("sum"):
        raise Rejected(Reason.DISTRIBUTION, "must have a sum")
    return {
        "count": point.count,
        "sum": point.sum,
        "min": point.min if point.HasField("min") else None,
        "max": point.max if point.HasField("max") else None,
    }


def _checked(point: Any, given: GivenDistribution) -> GivenDistribution:
    problem = problem_of(given) if point.count else None
    if problem is not None:
        field, text = problem
        raise Rejected(Reason.DISTRIBUTION, f"{field} {text}")
    return given


READERS: Final[Mapping[str, Callable[[Any], GivenDistribution]]] = {
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
}
"""Read a point; raise Rejected if it breaks a rule."""
