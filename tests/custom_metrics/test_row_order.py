"""The order of rows, against Python's sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.row_order import order_of

WHOLE = st.integers(-50, 50).map(float)
DECIMAL = st.integers(-5_000, 5_000).map(lambda units: units / 1_000)
ANY = st.floats(allow_nan=False, allow_infinity=False)
SIZES = st.one_of(*(st.lists(kind, max_size=60) for kind in (WHOLE, DECIMAL, ANY)))


@given(sizes=SIZES, most_first=st.sampled_from([0, 3, 2**40]), seed=st.integers(0, 2**32))
@example([0.1, 1e300, -1e300, 0.1], 3, 0)
@example([-0.0, 0.0, -0.0, 0.0], 0, 0)
@example([2.0**60, 2.0**60 + 512, 1.0], 0, 0)
def test_rows_are_ordered_by_one_column_after_the_other(
    sizes: list[float], most_first: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    first = chance.integers(0, most_first + 1, len(sizes))
    ranks = chance.permutation(len(sizes))
    order = order_of(first, np.array(sizes, np.float64), ranks)
    rows = list(zip(first.tolist(), sizes, ranks.tolist(), strict=True))
    assert order.tolist() == sorted(range(len(rows)), key=rows.__getitem__)


@pytest.mark.parametrize("space", [2**10, 2**57, 2**62])
def test_columns_may_be_too_wide_for_one_number(space: int) -> None:
    first = np.array([space, 0, space, 0])
    sizes = np.array([0.3, 1 / 3, 0.1, 7.0])
    assert order_of(first, sizes, np.array([3, 2, 1, 0])).tolist() == [1, 3, 2, 0]
