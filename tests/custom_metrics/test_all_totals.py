"""The totals of several metrics side by side are those of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vumeter_server.custom_metrics.sqlite.cache import prefix_sums
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import PrefixSums, stacked
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT
from vumeter_server.custom_metrics.sqlite.rollups.intervals import (
    CELL_US,
    Points,
    Totals,
    sums_by_metric,
)

METRICS = (0, 1, 3)
VALUES = st.one_of(
    st.integers(0, 1_000).map(float), st.floats(-1e6, 1e6), st.sampled_from([9e14, -9e14])
)
POINTS = st.lists(
    st.tuples(st.sampled_from(METRICS), st.sampled_from([5, 6, 7, 90, 101, 110, 300]), VALUES),
    max_size=8,
)


def lot_of(points: list[tuple[int, int, float]]) -> Points:
    lot = np.zeros(len(points), POINT)
    for index, (metric, cell, value) in enumerate(points):
        lot[index]["metric"], lot[index]["time_us"] = metric, cell * CELL_US + 5
        lot[index]["value"] = value
    return lot


@pytest.mark.parametrize("room", [0, 96])
@pytest.mark.parametrize("largest", [0, 1 << 20], ids=["one by one", "together"])
@given(st.lists(POINTS, min_size=1, max_size=6), st.permutations(METRICS), st.integers(1, 3))
@settings(deadline=None)
def test_metrics_together_have_the_sums_of_each(
    room: int,
    largest: int,
    lots: list[list[tuple[int, int, float]]],
    asked: list[int],
    count: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_sums, "ROOM", room)
        patch.setattr(prefix_sums, "MAX_INTERVALS", largest)
        together = PrefixSums()
        each = {metric: Totals() for metric in METRICS}
        for metric in METRICS:
            together.put(metric, Totals())
        bounds = np.array([0, 5, 6, 91, 102, 102, 400], np.int64)
        for points in lots:
            lot = lot_of(points)
            together.add(lot)
            for metric in METRICS:
                for _, cells, sums in sums_by_metric(lot[lot["metric"] == metric]):
                    each[metric].add(cells, sums)
            expected = stacked([each[metric].between(bounds) for metric in asked[:count]])
            found = together.between(asked[:count], bounds)
            # Rows of zeros may stand where no value had a fraction.
            rows = max(expected.shape[1], found.shape[1])
            assert np.allclose(padded(found, rows), padded(expected, rows), rtol=0, atol=1e-6)
            assert np.array_equal(padded(found, rows)[:, :4], padded(expected, rows)[:, :4])


def padded(cube: prefix_sums.Cube, rows: int) -> prefix_sums.Cube:
    return np.pad(cube, ((0, 0), (0, rows - cube.shape[1]), (0, 0)))
