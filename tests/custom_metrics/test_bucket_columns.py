"""Many distributions at once are what each of them is alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.custom_metrics.distribution_strategies import given_distributions
from tests.effort import tries

from vumeter_server.custom_metrics.bucket_columns import bucket_columns, collect
from vumeter_server.custom_metrics.distribution_rules import problem_of, problems_of
from vumeter_server.custom_metrics.given_distributions import (
    Bucket,
    ExponentialBuckets,
    GivenDistribution,
    buckets_of,
    few_values,
)

FEW = 8


@st.composite
def fine_ones(draw: st.DrawFn) -> GivenDistribution:
    """Exponential buckets of any scale, some far apart, some on both sides, some empty."""

    def side() -> ExponentialBuckets:
        offset = draw(st.sampled_from((-(2**31), -20_000, -3, 0, 2, 40)))
        return ExponentialBuckets(offset, tuple(draw(st.lists(st.integers(0, 3), max_size=9))))

    positive, negative = side(), side()
    zeros = draw(st.integers(0, 2))
    count = zeros + sum(positive.counts) + sum(negative.counts)
    return GivenDistribution(
        count=count,
        sum=draw(st.sampled_from((0.0, 1.0, count * 1.5, -1e3))),
        scale=draw(st.sampled_from((-10, -1, 0, 3, 7, 8, 12, 20))),
        zero_count=zeros,
        positive=positive,
        negative=negative,
    )


@st.composite
def given_ones(draw: st.DrawFn) -> GivenDistribution:
    """Distributions, some of which break a rule."""
    one = draw(given_distributions() | fine_ones())
    factor = draw(
        st.sampled_from((1.0, 1.0, 1.0, 1 + 3e-10, 1 + 8e-10, 1 + 2e-9, 1.1, -1.0, math.nan))
    )
    return replace(
        one,
        sum=one.sum * factor,
        min=draw(st.sampled_from((one.min, one.min, None, one.sum))),
        max=draw(st.sampled_from((one.max, one.max, None, one.sum * factor))),
        count=one.count + draw(st.sampled_from((0, 0, 0, 1))),
    )


@settings(max_examples=tries(40, 1_000), deadline=None)
@given(st.lists(given_ones(), min_size=FEW, max_size=2 * FEW), st.sampled_from([1, 3]))
def test_the_problems_of_many_are_those_of_each(each: list[GivenDistribution], times: int) -> None:
    assert list(problems_of(each * times)) == [problem_of(one) for one in each] * times


@settings(max_examples=tries(40, 1_000), deadline=None)
@given(st.lists(given_ones(), min_size=1, max_size=2 * FEW))
def test_the_columns_of_many_are_the_buckets_of_each(each: list[GivenDistribution]) -> None:
    each = [one for one in each if problem_of(one) is None]
    if not each:
        assert collect([]) is None
        return
    columns = bucket_columns(each)
    found: list[list[Bucket]] = [[] for _ in each]
    for row, *bucket in zip(
        columns.rows.tolist(),
        columns.lower.tolist(),
        columns.upper.tolist(),
        columns.counts.tolist(),
        strict=True,
    ):
        found[row].append(tuple(bucket))
    assert found == [buckets_of(one) for one in each]
    together = collect([(3 * row, one) for row, one in enumerate(each)])
    assert together is not None
    assert together.positions.tolist() == [3 * row for row in range(len(each))]
    for row, one in enumerate(each):
        start, stop = together.starts[row : row + 2].tolist()
        columns_of_one = (together.lower, together.upper, together.weights)
        of_one = list(zip(*(column[start:stop].tolist() for column in columns_of_one), strict=True))
        values = few_values(one)
        assert of_one == ([(value, value, 1) for value in values] or buckets_of(one))
        assert together.counts[row] == one.count
        if values:
            assert (together.minima[row], together.maxima[row]) == (values[0], values[-1])
            continue
        for outermost, number, (bound, inner) in (
            (together.minima[row], one.min, of_one[0][:2]),
            (together.maxima[row], one.max, of_one[-1][1::-1]),
        ):
            expected = bound if math.isfinite(bound) else inner
            assert outermost == (expected if number is None else number)


@pytest.mark.parametrize("many", [1, FEW])
def test_the_widest_buckets_have_no_upper_bound(many: int) -> None:
    one = GivenDistribution(
        count=4, sum=8.0, scale=-10, positive=ExponentialBuckets(-1, (0, 4)), max=2.5
    )
    assert list(problems_of([one] * many)) == [None] * many
    found = collect([(0, one)])
    assert found is not None
    assert (found.lower.tolist(), found.upper.tolist()) == ([1.0], [math.inf])
    assert found.maxima.tolist() == [2.5]
