"""Points as columns, and how those of segments are put together.

What numpy does for the points of a day costs as much as for those of many days.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from vumeter_server.custom_metrics.distributions import Distributions, joined
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US, Array, Kind
from vumeter_server.custom_metrics.sqlite.formats.segment_columns import Segments

# Segments are put together until there are so many points.
ENOUGH_POINTS = 1 << 17

_WITH_TIMES, _WHOLE_DAYS = range(2)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PointColumns:
    """Some points of a selection, as columns of equal length.

    Attributes:
        metric_codes: one interned id for all, or int32[points].
        values: [points], whole numbers of any width or float64; zeros if not asked for.
        times_us: int64[points], microseconds since the epoch; None if not asked for. Where times
            were not read and a bound is between the points, each has that of the start of its day.
        label_sets: interned label sets, [points]; None if not asked for.
        sessions: interned sessions, [points], -1 for none; None if not asked for.
        bounds_us: the earliest and latest time that the points can have.
        distributions: those of the points that are distributions; None if there are none, or if
            they were not asked for.
    """

    metric_codes: int | Array
    values: Array
    times_us: Array | None
    label_sets: Array | None
    sessions: Array | None
    bounds_us: tuple[int, int]
    distributions: Distributions | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(slots=True, eq=False)
class _Segment:
    day: int
    columns: Mapping[int, Array]
    distributions: Distributions | None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def points_of_segments(
    metric_code: int,
    segments: Segments,
    distributions: Mapping[tuple[int, int], Distributions],
    range_us: tuple[int, int],
    bounds_us: Sequence[int],
) -> Iterator[PointColumns]:
    """Yield those points of a metric's segments that are in a range.

    Days have times, if they were read, or where an end of the range or one of `bounds_us` lies
    within them. Of other days all points are in one bucket, so that the day says which.
    """

    def kind(segment: _Segment) -> int:
        return _WITH_TIMES if Kind.TIME in segment.columns else _WHOLE_DAYS

    each = (
        _in_range(_Segment(day, columns, distributions.get((day, part))), *range_us)
        for (day, part), columns in segments.items()
    )
    some = (segment for segment in each if len(segment))
    for _, alike in groupby(some, kind):
        together: list[_Segment] = []
        points = 0
        for segment in alike:
            together.append(segment)
            points += len(segment)
            if points >= ENOUGH_POINTS:
                yield _together(metric_code, together, range_us, bounds_us)
                together, points = [], 0
        if together:
            yield _together(metric_code, together, range_us, bounds_us)


def _in_range(segment: _Segment, start_us: int, end_us: int) -> _Segment:
    """Return what of a segment is in a range, without a copy."""
    day_us, times = segment.day * DAY_US, segment.columns.get(Kind.TIME)
    if times is None or (start_us <= day_us and day_us + DAY_US <= end_us):
        return segment
    # Flushed points are in the order of time.
    start, stop = times.searchsorted((start_us - day_us, end_us - day_us)).tolist()
    distributions = segment.distributions
    return _Segment(
        segment.day,
        {kind: column[start:stop] for kind, column in segment.columns.items()},
        distributions and distributions.between(start, stop),
    )


def _together(
    metric_code: int,
    segments: Sequence[_Segment],
    range_us: tuple[int, int],
    bounds_us: Sequence[int],
) -> PointColumns:
    start_us, end_us = range_us
    columns = {
        kind: np.concatenate([segment.columns[kind] for segment in segments])
        if len(segments) > 1
        else segments[0].columns[kind]
        for kind in segments[0].columns
    }
    counts = [len(segment) for segment in segments]
    days = [segment.day for segment in segments]
    times_us, sessions = columns.get(Kind.TIME), columns.get(Kind.SESSION)
    values = columns.get(Kind.VALUE)
    is_cut = bisect(bounds_us, days[0] * DAY_US) < bisect(bounds_us, days[-1] * DAY_US)
    if times_us is not None or is_cut:
        of_days = np.repeat(np.array(days, np.int64) * DAY_US, counts)
        if times_us is not None:
            of_days += times_us
        times_us = of_days
    return PointColumns(
        metric_codes=metric_code,
        values=np.broadcast_to(np.uint8(0), sum(counts)) if values is None else values,
        times_us=times_us,
        label_sets=columns.get(Kind.SERIES),
        # Flushed sessions are written plus 1, so that none is 0.
        sessions=None if sessions is None else np.subtract(sessions, 1, dtype=np.int64),
        bounds_us=(max(days[0] * DAY_US, start_us), min((days[-1] + 1) * DAY_US, end_us) - 1),
        distributions=joined(
            [(each.distributions, count) for each, count in zip(segments, counts, strict=True)]
        ),
    )
