"""Points of histograms, explicit and exponential, as distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from vumeter_server.custom_metrics.distribution_rules import MAX_SCALE, problems_of
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
    # A copy first, which is made at once: reading number by number takes twice as long.
    bounds, counts = tuple(point.explicit_bounds[:]), tuple(point.bucket_counts[:])
    if not bounds:
        # One bucket of everything says no more than the count.
        counts = () if len(counts) <= 1 else counts
    return GivenDistribution(**_summary_of(point), bounds=bounds, counts=counts)


def _exponential_histogram(point: Any) -> GivenDistribution:
    positive, negative = (
        ExponentialBuckets(side.offset, tuple(side.bucket_counts[:]))
        for side in (point.positive, point.negative)
    )
    given = GivenDistribution(
        **_summary_of(point),
        scale=point.scale,
        zero_count=point.zero_count,
        positive=positive,
        negative=negative,
    )
    return at_scale(given, MAX_SCALE)


def _summary_of(point: Any) -> dict[str, Any]:
    if point.count and not point.HasField("sum"):
        raise Rejected(Reason.DISTRIBUTION, "must have a sum")
    return {
        "count": point.count,
        "sum": point.sum,
        "min": point.min if point.HasField("min") else None,
        "max": point.max if point.HasField("max") else None,
    }


READERS: Final[Mapping[str, Callable[[Any], GivenDistribution]]] = {
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
}
"""Read a point; raise Rejected if it has no sum."""


def read_histograms(
    points: Sequence[tuple[Any, Callable[[Any], GivenDistribution]]],
) -> list[GivenDistribution | Rejected]:
    """Return the histogram of each point, or why it is rejected; with each its one of READERS."""
    found: list[GivenDistribution | Rejected] = []
    for point, read in points:
        try:
            found.append(read(point))
        except Rejected as rejected:
            found.append(rejected)
    histograms = {
        row: each
        for row, each in enumerate(found)
        if isinstance(each, GivenDistribution) and each.count
    }
    problems = problems_of(list(histograms.values()))
    for row, problem in zip(histograms, problems, strict=True):
        if problem is not None:
            field, text = problem
            found[row] = Rejected(Reason.DISTRIBUTION, f"{field} {text}")
    return found
