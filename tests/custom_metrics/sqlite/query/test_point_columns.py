"""Points of segments are those that were flushed, however many segments come together."""

from __future__ import annotations

from bisect import bisect

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_columns import Segments
from vumeter_server.custom_metrics.sqlite.query.point_columns import points_of_segments

DAYS = 5
# Times of the points of each segment, by (day, part).
TIMES = st.dictionaries(
    st.tuples(st.integers(0, DAYS - 1), st.integers(0, 1)),
    st.lists(st.integers(0, DAY_US - 1), max_size=4).map(sorted),
    max_size=6,
)
INSTANTS = st.one_of(
    st.integers(0, DAYS).map(lambda day: day * DAY_US), st.integers(0, DAYS * DAY_US)
)


def segments_of(times: dict[tuple[int, int], list[int]], cut_days: set[int] | None) -> Segments:
    """Return segments whose values are the numbers of their points; with times on cut days."""
    segments: Segments = {}
    number = 0
    for key in sorted(times):
        numbers = np.arange(number, number + len(times[key]))
        number += len(numbers)
        columns: dict[int, Array] = {
            Kind.VALUE: numbers,
            Kind.SERIES: numbers % 3,
            Kind.SESSION: numbers % 2,
        }
        if cut_days is None or key[0] in cut_days:
            columns[Kind.TIME] = np.array(times[key], np.int64)
        segments[key] = columns
    return segments


@settings(deadline=None)
@given(TIMES, st.lists(INSTANTS, min_size=2, max_size=5, unique=True).map(sorted), st.booleans())
def test_points_are_in_the_range_and_known_to_be_on_one_side_of_each_bound(
    times: dict[tuple[int, int], list[int]], instants: list[int], with_times: bool
) -> None:
    (start_us, *bounds_us, end_us) = instants
    cut_days = {instant // DAY_US for instant in instants if instant % DAY_US}
    first, last = start_us // DAY_US, (end_us - 1) // DAY_US
    times = {key: each for key, each in times.items() if first <= key[0] <= last}
    segments = segments_of(times, None if with_times else cut_days)
    absolute = [day * DAY_US + time for (day, part) in sorted(times) for time in times[day, part]]

    found = []
    for points in points_of_segments(7, segments, {}, (start_us, end_us), bounds_us):
        assert points.metric_codes == 7
        assert points.label_sets is not None
        assert points.sessions is not None
        numbers = points.values.tolist()
        assert points.label_sets.tolist() == [number % 3 for number in numbers]
        assert points.sessions.tolist() == [number % 2 - 1 for number in numbers]
        of_points = [absolute[number] for number in numbers]
        earliest, latest = points.bounds_us
        assert all(earliest <= time <= latest for time in of_points)
        cut_by = [bound for bound in bounds_us if earliest < bound <= latest]
        days = {time // DAY_US for time in of_points}
        if points.times_us is None:
            assert not cut_by
        elif with_times or days <= cut_days:
            assert points.times_us.tolist() == of_points
        else:
            assert cut_by
            assert points.times_us.tolist() == [time // DAY_US * DAY_US for time in of_points]
            assert [bisect(bounds_us, time) for time in of_points] == [
                bisect(bounds_us, time) for time in points.times_us.tolist()
            ]
        found += numbers
    assert found == [at for at, time in enumerate(absolute) if start_us <= time < end_us]


def test_days_come_together() -> None:
    times = {(day, 0): [10, 20] for day in range(DAYS)}
    range_us = (0, DAYS * DAY_US)
    without = segments_of(times, set())
    assert len(list(points_of_segments(0, without, {}, range_us, ()))) == 1
    assert len(list(points_of_segments(0, without, {}, range_us, [2 * DAY_US]))) == 1
    assert len(list(points_of_segments(0, segments_of(times, None), {}, range_us, [DAY_US]))) == 1
    mixed = segments_of(times, {2})
    assert len(list(points_of_segments(0, mixed, {}, range_us, [2 * DAY_US + 15]))) == 3
