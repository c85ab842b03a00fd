"""Sums between any instants are those of the points in between, wherever the points are."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache import point_sums
from vumeter_server.custom_metrics.sqlite.cache.head import Batches, Head, HeadPoints, in_interval
from vumeter_server.custom_metrics.sqlite.cache.period_sums import sums_between
from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums, Unit, keys_of, units_of
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import PrefixSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Periods
from vumeter_server.custom_metrics.sqlite.formats.batches import POINT
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.rollups.intervals import (
    CELL_US,
    Totals,
    as_matrix,
    of_matrix,
    sums_by_metric,
)

CODES = (0, 2, 5, 2**15 - 1)
# Instants of three days, many of them around the bounds of the same few intervals.
INSTANTS = st.builds(
    lambda day, interval, offset: day * DAY_US + interval * CELL_US + offset,
    st.sampled_from([2, 3, 9]),
    st.sampled_from([0, 1, 95]),
    st.sampled_from([0, 1, CELL_US // 2, CELL_US - 1]),
)
# What is below 2^-90 is rounded away, and nobody is told so many digits.
VALUES = st.one_of(
    st.integers(0, 1_000).map(float),
    st.integers(-(10**9), 10**9).map(lambda number: number / 1_000),
    st.sampled_from([9e14, -9e14, 0.1]),
)
POINTS = st.lists(st.tuples(st.sampled_from(CODES), INSTANTS, VALUES), max_size=30)


def points_of(points: list[tuple[int, int, float]]) -> HeadPoints:
    array = np.zeros(len(points), POINT)
    for index, (code, time_us, value) in enumerate(points):
        array[index]["metric"], array[index]["time_us"] = code, time_us
        array[index]["value"] = value
    return array


def point_sums_of(unit: Unit, codes: list[int], points: HeadPoints) -> PointSums:
    """Return the point sums that a unit's segments would have."""
    days = points["time_us"] // DAY_US
    chosen = points[(days >= unit.first) & (days < unit.end)]
    keys = [keys_of(unit, int(point["metric"]), 0, point["time_us"][None])[0] for point in chosen]
    return PointSums(unit, codes, np.array(keys, np.int64), chosen["value"].astype(np.float64))


@pytest.mark.parametrize("is_exact", [True, False], ids=["prefix sums", "rounded prefix sums"])
@given(
    flushed=POINTS,
    recorded=POINTS,
    bounds=st.lists(INSTANTS, min_size=2, max_size=6, unique=True).map(sorted),
    asked=st.lists(st.sampled_from(CODES), min_size=1, unique=True),
    from_view=st.booleans(),
)
@settings(deadline=None)
def test_periods_have_the_sums_of_the_points_in_them(
    is_exact: bool,
    flushed: list[tuple[int, int, float]],
    recorded: list[tuple[int, int, float]],
    bounds: list[int],
    asked: list[int],
    from_view: bool,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not is_exact:
            patch.setattr(point_sums, "EXACT_BELOW", -1.0)
        of_segments, of_head = points_of(flushed), points_of(recorded)
        everything = np.concatenate([of_segments, of_head])
        intervals = PrefixSums()
        for code in CODES:
            totals = Totals()
            for _, cells, sums in sums_by_metric(everything[everything["metric"] == code]):
                totals.add(cells, sums)
            intervals.put(code, totals)
        head = Head()
        head.append(Batches({7: of_head.tobytes()}))
        periods = Periods.between(np.array(bounds, np.int64))
        units = units_of(asked, periods.cut_days)
        cube = sums_between(
            intervals,
            [point_sums_of(unit, asked, of_segments) for unit in units],
            partial(in_interval, of_head) if from_view else head.in_interval,
            asked,
            periods,
        )
        for row, code in enumerate(asked):
            of_code = everything[everything["metric"] == code]
            period = np.searchsorted(periods.bounds_us, of_code["time_us"], "right") - 1
            inside = (period >= 0) & (period < len(periods))
            expected = ExactSums.of(period[inside], of_code["value"][inside], len(periods))
            found = of_matrix(cube[row])
            assert found.counts.tolist() == expected.counts.tolist()
            assert found.totals().tolist() == expected.totals().tolist()
            assert len(cube[row]) >= len(as_matrix(expected))


def test_a_head_from_which_batches_are_dropped_has_the_points_of_the_others() -> None:
    head = Head()
    batches = [
        points_of([(0, day * DAY_US + CELL_US, 1.0), (2, 9 * DAY_US, 2.0)]) for day in (2, 3, 4)
    ]
    head.append(Batches({4: batches[0].tobytes(), 6: batches[1].tobytes()}))
    head.append(Batches({7: batches[2].tobytes()}))
    assert head.drop_through(6) == [2, 3, 9]
    assert head.points().tolist() == batches[2].tolist()
    assert head.counts == {4 * 96 + 1: 1, 9 * 96: 1}
    assert head.in_interval(4 * 96 + 1)["value"].tolist() == [1.0]
    assert head.in_interval(2 * 96 + 1).tolist() == []
    assert head.last_batch == 7
