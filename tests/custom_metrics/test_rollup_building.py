"""The sums and extremes of keys are those of their values, however the keys come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vumeter_server.custom_metrics.sqlite.rollups.building import sum_by

# Their sums are doubles, too.
VALUES = st.integers(-(10**9), 10**9).map(lambda number: number / 8)
POINTS = st.lists(st.tuples(st.integers(0, 5), VALUES), max_size=30)


@pytest.mark.parametrize("ascending", [False, True])
@settings(deadline=None)
@given(points=POINTS)
def test_each_key_has_the_sum_the_count_and_the_extremes_of_its_values(
    ascending: bool, points: list[tuple[int, float]]
) -> None:
    if ascending:
        points = sorted(points, key=lambda point: point[0])
    keys = np.array([key for key, _ in points], np.int64)
    values = np.array([value for _, value in points], np.float64)
    distinct, sums, extremes = sum_by(keys, values)
    expected = {key: [value for other, value in points if other == key] for key in sorted(keys)}
    assert distinct.tolist() == list(expected)
    assert sums.counts.tolist() == [len(each) for each in expected.values()]
    assert sums.totals().tolist() == [sum(each) for each in expected.values()]
    assert extremes.minima.tolist() == [min(each) for each in expected.values()]
    assert extremes.maxima.tolist() == [max(each) for each in expected.values()]


@pytest.mark.parametrize("ascending", [False, True])
@settings(deadline=None)
@given(
    points=st.lists(
        st.tuples(st.integers(0, 5), VALUES, st.integers(1, 9), VALUES, VALUES), max_size=30
    )
)
def test_points_of_several_values_count_as_many_and_bring_their_own_extremes(
    ascending: bool, points: list[tuple[int, float, int, float, float]]
) -> None:
    if ascending:
        points = sorted(points, key=lambda point: point[0])
    keys, values, counts, minima, maxima = (
        np.array([point[column] for point in points], np.int64 if column in {0, 2} else np.float64)
        for column in range(5)
    )
    distinct, sums, extremes = sum_by(keys, values, counts, minima, maxima)
    of_key = {key: [point for point in points if point[0] == key] for key in sorted(keys.tolist())}
    assert distinct.tolist() == list(of_key)
    assert sums.counts.tolist() == [sum(point[2] for point in of) for of in of_key.values()]
    assert extremes.minima.tolist() == [min(point[3] for point in of) for of in of_key.values()]
    assert extremes.maxima.tolist() == [max(point[4] for point in of) for of in of_key.values()]
