"""What is made of exporters' histograms before they are stored: other units, buckets that fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vumeter_server.custom_metrics.distribution_rules import problem_of, problems_of
from vumeter_server.custom_metrics.given_distributions import (
    NO_BUCKETS,
    GivenDistribution,
    buckets_of,
    explicit_buckets,
)


def in_other_unit(given: GivenDistribution, factor: float) -> GivenDistribution:
    """Return a distribution whose values are multiplied; exponential buckets become explicit."""
    scaled = replace(
        given,
        sum=given.sum * factor,
        min=None if given.min is None else given.min * factor,
        max=None if given.max is None else given.max * factor,
    )
    bounds, counts = given.bounds, given.counts
    if given.scale is not None:
        bounds, counts = explicit_buckets(buckets_of(given))
    return replace(
        scaled,
        bounds=tuple(bound * factor for bound in bounds),
        counts=counts,
        scale=None,
        zero_count=0,
        positive=NO_BUCKETS,
        negative=NO_BUCKETS,
    )


def within_buckets(given: Sequence[GivenDistribution]) -> list[GivenDistribution]:
    """Return what can be stored of increments whose numbers may not fit their buckets any more.

    The sum of a cumulative histogram is rounded at each step, and its minimum and maximum are of
    its whole life. What does not fit is left out, the buckets last.
    """
    return [
        each if problem is None else _what_fits(each)
        for each, problem in zip(given, problems_of(given), strict=True)
    ]


def _what_fits(given: GivenDistribution) -> GivenDistribution:
    without = replace(given, min=None, max=None)
    if (without.bounds or without.scale is not None) and problem_of(without) is None:
        return without
    mean = given.sum / given.count
    return GivenDistribution(count=given.count, sum=given.sum, min=mean, max=mean)
