"""Functions of points by cell, whatever values the points have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.sqlite.query.cells import Cells
from vumeter_server.custom_metrics.sqlite.query.gathered_points import GatheredPoints

# Each kind of value is sorted in a way of its own; one value that is of another kind decides.
SMALL = st.integers(0, 5_000).map(lambda units: units / 10)
WHOLE = st.integers(0, 2**32 - 1).map(float)
DECIMAL = st.integers(0, 2**32 - 1).map(lambda units: units / 100)
ANY = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(
    *(st.lists(kind, min_size=1, max_size=80) for kind in (SMALL, WHOLE, DECIMAL, ANY))
)
PERCENTS: Sequence[Fraction | int] = (1, 50, Fraction(999, 10), 100)


@settings(deadline=None)
@given(VALUES, st.integers(1, 2**34), st.integers(0, 2**32))
@example([4294967295.0, 0.0, 4294967295.0], 1, 0)
@example([0.1, 0.2, 1e300, 0.1], 3, 0)
@example([-0.5, 0.5, -0.5], 2, 0)
def test_percentiles_of_cells_are_those_of_the_nearest_rank(
    values: list[float], space: int, seed: int
) -> None:
    keys = np.random.default_rng(seed).integers(0, space, len(values))
    points = GatheredPoints(
        buckets=keys,
        groups=np.zeros(len(keys), np.int64),
        values=np.array(values),
        times_us=None,
        sessions=None,
    )
    cells = Cells(keys, space, points)
    assert cells.keys.tolist() == sorted(set(keys.tolist()))
    for percent in PERCENTS:
        computed = cells.compute(Function(Statistic.PERCENTILE, percent))
        for key, value in zip(cells.keys.tolist(), computed.values.tolist(), strict=True):
            ascending = sorted(each for each, at in zip(values, keys, strict=True) if at == key)
            rank = math.ceil(Fraction(percent) * len(ascending) / 100)
            assert value == ascending[rank - 1]


def test_percentiles_of_no_points_are_none() -> None:
    none = np.empty(0, np.int64)
    points = GatheredPoints(
        buckets=none, groups=none, values=np.empty(0), times_us=None, sessions=None
    )
    computed = Cells(none, 1, points).compute(Function(Statistic.PERCENTILE, 95))
    assert (computed.keys.tolist(), computed.values.tolist()) == ([], [])


@pytest.mark.parametrize("cells", [1, 70_000])
def test_cells_are_as_many_as_there_are(cells: int) -> None:
    """Up to 65,536 cells are sorted by 16 bits, more by 64."""
    keys = np.repeat(np.arange(cells), 2)
    values = np.tile([7.5, 2.5], cells)
    points = GatheredPoints(
        buckets=keys, groups=np.zeros_like(keys), values=values, times_us=None, sessions=None
    )
    computed = Cells(keys, cells, points).compute(Function(Statistic.PERCENTILE, 100))
    assert (computed.values == 7.5).all()
    assert len(computed.keys) == cells
