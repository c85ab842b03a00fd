"""Sums between any instants are those of the points in between, wherever the points are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import tries

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache import units
from vumeter_server.custom_metrics.sqlite.cache.head import Batches, Head, HeadPoints, in_interval
from vumeter_server.custom_metrics.sqlite.cache.metric_point_sums import MetricPointSums
from vumeter_server.custom_metrics.sqlite.cache.period_sums import HeadAtCuts, sums_between
from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums, keys_of
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube, PrefixSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Periods
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import UnitSums
from vumeter_server.custom_metrics.sqlite.cache.units import Unit, units_of
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
# Instants of some days, many of them around the bounds of the same few intervals. Of a metric the
# days of a unit are 16: the first ones are of the first, two of the second, one is far away.
DAYS = (2, 3, 9, 15, 16, 17, 70)


def instants(days: Sequence[int]) -> st.SearchStrategy[int]:
    return st.builds(
        lambda day, interval, offset: day * DAY_US + interval * CELL_US + offset,
        st.sampled_from(days),
        st.sampled_from([0, 1, 95]),
        st.sampled_from([0, 1, CELL_US // 2, CELL_US - 1]),
    )


INSTANTS = instants(DAYS)
# What is below 2^-90 is rounded away, and nobody is told so many digits.
VALUES = st.one_of(
    st.integers(0, 1_000).map(float),
    st.integers(-(10**9), 10**9).map(lambda number: number / 1_000),
    st.sampled_from([9e14, -9e14, 0.1]),
)
POINTS = st.lists(st.tuples(st.sampled_from(CODES), INSTANTS, VALUES), max_size=30)


def late_points() -> st.SearchStrategy[list[tuple[int, int, float]]]:
    points = st.tuples(st.sampled_from(CODES), instants(DAYS[-3:]), VALUES)
    return st.lists(points, min_size=1, max_size=9)


def points_of(points: Sequence[tuple[int, int, float]]) -> HeadPoints:
    array = np.zeros(len(points), POINT)
    for index, (code, time_us, value) in enumerate(points):
        array[index]["metric"], array[index]["time_us"] = code, time_us
        array[index]["value"] = value
    return array


def sums_of_unit(unit: Unit, codes: list[int], points: HeadPoints) -> UnitSums:
    """Return the sums that a unit's segments would have."""
    days = points["time_us"] // DAY_US
    chosen = points[(days >= unit.first) & (days < unit.end)]
    if unit.code is not None:
        of_code = chosen[chosen["metric"] == unit.code]
        values = of_code["value"].astype(np.float64)
        return MetricPointSums(unit, unit.code, of_code["time_us"].astype(np.int64), values)
    times_us = chosen["time_us"].astype(np.int64) - unit.first * DAY_US
    codes_of_points = chosen["metric"].tolist()
    keys = [
        int(keys_of(code, time_us)) for code, time_us in zip(codes_of_points, times_us, strict=True)
    ]
    return PointSums(unit, codes, np.array(keys, np.int64), chosen["value"].astype(np.float64))


def sums_of(
    flushed: Sequence[tuple[int, int, float]],
    recorded: Sequence[tuple[int, int, float]],
    bounds: list[int],
    asked: list[int],
    *,
    from_view: bool = False,
) -> Cube:
    """Return the sums between bounds, of points in segments and of others in the head."""
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
    at_cuts = HeadAtCuts(head.in_interval, head.first_interval)
    if from_view:
        at_cuts = HeadAtCuts(partial(in_interval, of_head), 0 if len(of_head) else None)
    periods = Periods.between(np.array(bounds, np.int64))
    return sums_between(
        intervals,
        [sums_of_unit(each, asked, of_segments) for each in units_of(asked, periods.cut_days)],
        at_cuts,
        asked,
        periods,
    )


@pytest.mark.parametrize("is_exact", [True, False], ids=["prefix sums", "rounded prefix sums"])
@given(
    flushed=POINTS,
    # Mostly what is not flushed is late.
    recorded=POINTS | st.just([]) | late_points(),
    bounds=st.lists(INSTANTS, min_size=2, max_size=12, unique=True).map(sorted),
    asked=st.lists(st.sampled_from(CODES), min_size=1, unique=True)
    | st.lists(st.sampled_from(CODES), min_size=1, max_size=1),
    from_view=st.booleans(),
)
@settings(deadline=None, max_examples=tries(300, 5_000))
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
            patch.setattr(units, "EXACT_BELOW", -1.0)
        everything = points_of([*flushed, *recorded])
        periods = Periods.between(np.array(bounds, np.int64))
        cube = sums_of(flushed, recorded, bounds, asked, from_view=from_view)
        for row, code in enumerate(asked):
            of_code = everything[everything["metric"] == code]
            period = np.searchsorted(periods.bounds_us, of_code["time_us"], "right") - 1
            inside = (period >= 0) & (period < len(periods))
            expected = ExactSums.of(period[inside], of_code["value"][inside], len(periods))
            found = of_matrix(cube[row])
            assert found.counts.tolist() == expected.counts.tolist()
            assert found.totals().tolist() == expected.totals().tolist()
            # What there is no row for is nothing.
            assert not as_matrix(expected)[len(cube[row]) :].any()


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
    assert (head.last_batch, head.first_interval) == (7, 4 * 96 + 1)
    assert head.drop_through(7) == [4, 9]
    assert head.first_interval is None


def test_fractions_of_the_head_are_added_to_whole_numbers_of_segments() -> None:
    flushed = [(0, day * DAY_US + 5, 2.0) for day in (2, 3, 9)]
    recorded = [(0, 9 * DAY_US + 5, 0.1)]
    bounds = [day * DAY_US + 1 for day in (2, 3, 9)] + [9 * DAY_US + 7]
    cube = sums_of(flushed, recorded, bounds, [0])
    assert of_matrix(cube[0]).totals().tolist() == [2.0, 2.0, 2.1]
