"""What a type means, the order of rows and the limits of answers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.aggregation import (
    LAST,
    MEAN,
    OF_BUCKETS,
    OF_SESSIONS,
    P95,
    SUM,
    Function,
    Statistic,
    check_cells,
    compute,
    compute_of_sums,
    nearest_rank,
    order_of_rows,
    ranks_of,
)
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.errors import InvalidArgument

VALUES = st.lists(st.integers(-4_000, 4_000).map(lambda n: n / 4), min_size=1, max_size=60)


def test_each_type_asks_for_its_function() -> None:
    assert {kind.name: (OF_BUCKETS.of(kind), OF_SESSIONS.of(kind)) for kind in MetricType} == {
        "COUNTER": (SUM, SUM),
        "GAUGE": (MEAN, LAST),
        "HISTOGRAM": (P95, P95),
    }


@given(VALUES, st.integers(1, 100))
def test_a_function_is_computed_as_its_definition_says(values: list[float], percent: int) -> None:
    total = sum(map(Fraction, values))
    assert compute(SUM, values) == total
    assert compute(MEAN, values) == float(total) / len(values)
    assert compute(LAST, values) == values[-1]
    # At least so many percent of the values are no larger, and of no smaller value is that true.
    percentile = compute(Function(Statistic.PERCENTILE, percent), values)
    shares = {value: 100 * sum(each <= value for each in values) for value in values}
    assert percentile == min(v for v, share in shares.items() if share >= percent * len(values))
    assert nearest_rank(np.array(values), percent) == percentile


def test_sums_and_counts_are_enough_for_sums_and_means_alone() -> None:
    sums, counts = np.array([7.0, 1.0]), np.array([2, 3])
    assert compute_of_sums(SUM, sums, counts).tolist() == [7.0, 1.0]
    assert compute_of_sums(MEAN, sums, counts).tolist() == [3.5, 1 / 3]
    assert [each.is_of_sums for each in (SUM, MEAN, LAST, P95)] == [True, True, False, False]


def test_rows_are_ordered_by_period_then_largest_total_then_labels() -> None:
    rows = [(1, 9.0, ("a",)), (0, 2.0, ("b",)), (0, 2.0, ("B",)), (0, 5.0, ("z",))]
    periods, totals, groups = zip(*rows, strict=True)
    assert [rows[row] for row in order_of_rows(totals, periods, groups)] == [
        (0, 5.0, ("z",)),
        (0, 2.0, ("B",)),
        (0, 2.0, ("b",)),
        (1, 9.0, ("a",)),
    ]


def test_an_answer_has_at_most_100000_cells() -> None:
    check_cells(1_000, 100)
    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        check_cells(1_001, 100)


@given(
    counts=st.lists(st.integers(1, 2**40), max_size=20),
    percent=st.one_of(
        st.integers(1, 100),
        st.fractions(Fraction(1, 10**4), 100, max_denominator=10**4),
        # These do not fit into 64 bits together with a count.
        st.fractions(Fraction(1, 10**4), 100, max_denominator=10**40),
    ),
)
def test_ranks_are_exact(counts: list[int], percent: int | Fraction) -> None:
    ranks = ranks_of(np.array(counts, np.int64), percent)
    assert ranks.dtype == np.int64
    assert ranks.tolist() == [math.ceil(Fraction(percent) * count / 100) for count in counts]
