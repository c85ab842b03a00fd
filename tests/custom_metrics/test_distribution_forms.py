"""Distributions as they are written, taken apart and given again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.custom_metrics.distribution_strategies import (
    exactly,
    exponential,
    given_distributions,
)

from vumeter_server.custom_metrics.bucket_columns import collect
from vumeter_server.custom_metrics.distribution_percentiles import percentile
from vumeter_server.custom_metrics.distribution_rules import problem_of
from vumeter_server.custom_metrics.distributions import Distributions, joined
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
    given_of,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import (
    decode_distributions,
    encode_distributions,
)


def listed(distributions: Distributions | None) -> list[Any]:
    assert distributions is not None
    return [getattr(distributions, name).tolist() for name in Distributions.__slots__]


@settings(max_examples=100, deadline=None)
@given(st.lists(given_distributions(), min_size=1, max_size=6))
def test_what_is_written_is_read(each: list[GivenDistribution]) -> None:
    distributions = collect([(3 * number, one) for number, one in enumerate(each)])
    assert distributions is not None
    assert listed(decode_distributions(encode_distributions(distributions))) == listed(
        distributions
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(given_distributions(), min_size=1, max_size=6), st.randoms())
def test_taking_some_in_another_order_keeps_each(each: list[GivenDistribution], order: Any) -> None:
    rows = [(2 * number + 1, one) for number, one in enumerate(each)]
    distributions = collect(rows)
    assert distributions is not None
    points = 2 * len(each) + 2
    chosen = list(range(points))
    order.shuffle(chosen)
    chosen = chosen[: order.randint(1, points)]
    expected = collect(
        sorted((chosen.index(position), one) for position, one in rows if position in chosen)
    )
    taken = distributions.taken(np.array(chosen, np.int64), points)
    assert (taken is None) == (expected is None)
    if taken is not None:
        assert listed(taken) == listed(expected)
    half = points // 2
    parts = [(distributions.between(0, half), half), (distributions.between(half, points), half)]
    assert listed(joined(parts)) == listed(distributions)


@settings(max_examples=100, deadline=None)
@given(given_distributions())
def test_what_is_given_again_answers_alike(one: GivenDistribution) -> None:
    first = collect([(0, one)])
    assert first is not None
    (again,) = given_of(first, [one.sum])
    assert problem_of(again) is None
    second = collect([(0, again)])
    assert second is not None
    assert first.counts == second.counts
    # A bucket of one value has bounds right beside it.
    assert second.minima == pytest.approx(first.minima, rel=1e-12, abs=1e-12)
    assert second.maxima == pytest.approx(first.maxima, rel=1e-12, abs=1e-12)
    for percent in (1, 50, 95, 100):
        before = percentile(np.array([one.sum]), first, percent)
        assert percentile(np.array([one.sum]), second, percent) == pytest.approx(
            before, rel=1e-6, abs=1e-9
        )


LIVEKIT = (0.0, 5.0, 10.0, 25.0)


def in_buckets(of: Sequence[float], bounds: tuple[float, ...]) -> GivenDistribution:
    """Return values as they are counted in buckets, with the smallest and the greatest."""
    counts = np.bincount(np.searchsorted(bounds, of), minlength=len(bounds) + 1)
    return GivenDistribution(
        count=len(of),
        sum=math.fsum(of),
        min=min(of),
        max=max(of),
        bounds=bounds,
        counts=tuple(counts.tolist()),
    )


@pytest.mark.parametrize("of", [(0.8,), (0.8, 2.1), (0.8, 1.4, 2.1)])
def test_few_values_in_one_wide_bucket_come_back_exactly(of: tuple[float, ...]) -> None:
    one = in_buckets(of, LIVEKIT)
    assert one.counts == (0, len(of), 0, 0, 0)
    found = collect([(0, one)])
    assert found is not None
    for percent in (1, 50, 95, 100):
        value, error = percentile(np.array([one.sum]), found, percent)
        assert value == pytest.approx(exactly(of, percent))
        assert error == 0


@pytest.mark.parametrize("bounds", [(100.0, 200.0), (100.0, 160.0, 200.0), (50.0, 100.0)])
@pytest.mark.parametrize("of", [(101.0, 120.0, 150.5, 180.0), (110.0, *[150.0] * 99, 190.0)])
def test_the_smallest_and_the_greatest_value_are_exact(
    of: tuple[float, ...], bounds: tuple[float, ...]
) -> None:
    one = in_buckets(of, bounds)
    found = collect([(0, one)])
    without = collect([(0, replace(one, min=None, max=None))])
    assert found is not None
    assert without is not None
    for percent, exact in ((100, max(of)), (Fraction(1, 10), min(of))):
        assert percentile(np.array([one.sum]), found, percent) == (exact, 0)
        # Without them nothing says so, but the error does not hide it.
        value, error = percentile(np.array([one.sum]), without, percent)
        assert 0 < abs(value - exact) <= error
    for percent in range(5, 100, 5):
        value, error = percentile(np.array([one.sum]), found, percent)
        assert abs(value - exactly(of, percent)) <= error + 1e-9


@pytest.mark.parametrize("scale", [7, 12, 20])
def test_fine_exponential_buckets_are_within_half_a_percent(scale: int) -> None:
    chosen = np.random.default_rng(7).lognormal(6, 0.6, 400).tolist()
    body = exponential(chosen, 7)
    shift = 2 ** (scale - 7)
    one = GivenDistribution(
        count=len(chosen),
        sum=math.fsum(chosen),
        scale=7,
        positive=ExponentialBuckets(
            body["positive"]["offset"], tuple(body["positive"]["bucketCounts"])
        ),
    )
    assert shift >= 1
    found = collect([(0, one)])
    assert found is not None
    for percent in (1, 50, 90, 95, 99):
        value, error = percentile(np.array([one.sum]), found, percent)
        true = exactly(chosen, percent)
        assert abs(value - true) <= 0.005 * true
        assert error <= 0.005 * true
