"""Sums between any two instants: of whole rollup intervals, and of points where one is cut.

What is before an instant is what is before its interval, and what that interval has before it. The
sums of a period are the difference of two such sums, as long as these are exact. Where they are
not, what each period has at its edges is summed point by point.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.head import NO_POINTS, HeadPoints
from vumeter_server.custom_metrics.sqlite.cache.metric_point_sums import (
    MetricPointSums,
    before_bounds,
)
from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums, key_column
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube, PrefixSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge, Periods
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import UnitSums
from vumeter_server.custom_metrics.sqlite.rollups.intervals import (
    CELL_US,
    CELLS_A_DAY,
    as_matrix,
)

Floats = npt.NDArray[np.float64]
HeadOfInterval = Callable[[int], HeadPoints]
"""Returns the points of the head in a rollup interval."""
PointsOfInterval = Callable[[int], UnitSums]
"""Returns the flushed points of a rollup interval, and maybe others."""


# One is made per query, and named tuples are made faster than dataclasses.
class HeadAtCuts(NamedTuple):
    """What the points that are not flushed add to sums.

    Attributes:
        points: where they are found; None if no interval that is cut has some.
        first_interval: the first interval that has some; None if there are none.
    """

    points: HeadOfInterval | None
    first_interval: int | None


NO_HEAD = HeadAtCuts(None, None)


def sums_between(
    intervals: PrefixSums,
    points: Sequence[UnitSums],
    head: HeadAtCuts,
    codes: Sequence[int],
    periods: Periods,
) -> Cube:
    """Return the sums of metrics in some periods.

    Args:
        intervals: the interval sums, of all metrics that are asked for.
        points: the points of the days on which intervals are cut, in the order of days.
        head: the points that are not flushed.
        codes: the metrics.
        periods: the periods.
    """
    of_metric: list[MetricPointSums] = []
    of_days: list[PointSums] = []
    for each in points:
        if not each.is_exact:
            return sums_at_edges(intervals, _by_interval(points), head.points, codes, periods)
        if isinstance(each, MetricPointSums):
            of_metric.append(each)
        else:
            of_days.append(each)
    if of_metric:
        before = before_bounds(intervals, of_metric, head.first_interval, codes[0], periods)
    else:
        before = intervals.before(codes, periods.intervals)
    if before is None:
        if periods.cuts:
            return sums_at_edges(intervals, _by_interval(points), head.points, codes, periods)
        return intervals.between(codes, periods.intervals)
    if head.points is not None:
        _add_head(before, head.points, codes, periods)
    if of_days and len(periods) > 1:
        _add_points(before, of_days, codes, periods)
    differences: Cube = before[:, :, 1:] - before[:, :, :-1]
    if of_days and len(periods) == 1:
        _add_ends(differences, of_days, codes, periods)
    return differences


def _add_ends(
    sums: Cube, points: Sequence[PointSums], codes: Sequence[int], periods: Periods
) -> None:
    """Add to the sums of a range what the interval of its end has before it, less its start's."""
    column = key_column(tuple(codes))
    of_start: Floats | None = None
    of_end: Floats | None = None
    for each in points:
        if each.start_us <= periods.start_us < each.end_us:
            of_start = each.before_one(column, periods.start_us)
        if each.start_us <= periods.end_us < each.end_us:
            of_end = each.before_one(column, periods.end_us)
    if of_start is not None:
        # Most have as many rows, and are added as one.
        if of_end is None or of_end.shape != of_start.shape:
            _add_to_range(sums, -of_start)
        else:
            of_end -= of_start
    if of_end is not None:
        _add_to_range(sums, of_end)


def _add_to_range(sums: Cube, added: Floats) -> None:
    # Rows that there is no room for are those of other metrics' fractions.
    if added.shape[1] > sums.shape[1]:
        added = added[:, : sums.shape[1]]
    of_range = sums[:, : added.shape[1], 0]
    of_range += added


def _add_points(
    before: Cube, points: Sequence[PointSums], codes: Sequence[int], periods: Periods
) -> None:
    """Add to what is before each bound what its interval has before it."""
    column, height = key_column(tuple(codes)), before.shape[1]
    for each in points:
        first, end = _bounds_on(each, periods)
        # Rows that there is no room for are those of other metrics' fractions.
        rows = min(each.rows, height)
        if end == first + 1:
            # This is only faster. Most units have one bound: that of an end of the range.
            place = before[:, :rows, first]
            sums = each.before_one(column, int(periods.bounds_us[first]))
        else:
            place = before[:, :rows, first:end].transpose(0, 2, 1)
            sums = each.before(column, periods.bounds_us[first:end])
        place += sums if each.rows == rows else sums[..., :rows]


def _bounds_on(points: PointSums, periods: Periods) -> tuple[int, int]:
    """Return which bounds may be on the days of a unit: from the first to before the end.

    Bounds that are on no day of a unit are not within an interval.
    """
    bounds_us, first, end = periods.bounds_us, 0, len(periods.bounds_us)
    if periods.start_us < points.start_us:
        first = bisect_left(bounds_us, points.start_us)
    if periods.end_us >= points.end_us:
        end = bisect_left(bounds_us, points.end_us)
    return first, end


def _add_head(before: Cube, head: HeadOfInterval, codes: Sequence[int], periods: Periods) -> None:
    row_of_code = {code: row for row, code in enumerate(codes)}
    for bound, bound_us in enumerate(periods.bounds_us.tolist()):
        interval = bound_us // CELL_US
        points = head(interval) if bound_us % CELL_US else NO_POINTS
        if len(points):
            sums = as_matrix(_sums_of(points, row_of_code, interval * CELL_US, bound_us))
            before[:, : len(sums), bound] += sums.T


def _sums_of(
    points: HeadPoints, row_of_code: dict[int, int], start_us: int, end_us: int
) -> ExactSums:
    """Sum points in a range of time by metric."""
    times_us = points["time_us"]
    points = points[(times_us >= start_us) & (times_us < end_us)]
    codes = points["metric"]
    rows = np.full(max(int(codes.max(initial=0)), *row_of_code) + 1, -1, np.int64)
    rows[list(row_of_code)] = list(row_of_code.values())
    of_point: npt.NDArray[np.int64] = rows[codes]
    asked = of_point >= 0
    return ExactSums.of(of_point[asked], points["value"][asked], len(row_of_code))


def _by_interval(points: Sequence[UnitSums]) -> PointsOfInterval:
    ends = [each.unit.end * CELLS_A_DAY for each in points]
    return lambda interval: points[bisect_right(ends, interval)]


def sums_at_edges(
    intervals: PrefixSums,
    points: PointsOfInterval,
    head: HeadOfInterval | None,
    codes: Sequence[int],
    periods: Periods,
) -> Cube:
    """Do as `sums_between` where only whole intervals and points can be added up exactly.

    Also where there are too many points to sum what is before each one. `points` and `head` are
    asked in the order of time.
    """
    cube = intervals.between(codes, periods.whole)[:, :, ::2]
    row_of_code = {code: row for row, code in enumerate(codes)}
    for edge in periods.edges:
        interval = edge.start_us // CELL_US
        if head is not None:
            found = head(interval)
            of_head = _sums_of(found, row_of_code, edge.start_us, edge.end_us)
            cube[:, 0, edge.period] += of_head.counts
            for row, part in enumerate(of_head.parts, 1):
                cube[:, row, edge.period] += part
        flushed = points(interval)
        for code, metric in row_of_code.items():
            _add(cube, metric, edge, flushed.between(code, edge.start_us, edge.end_us))
    return cube


def _add(cube: Cube, metric: int, edge: Edge, sums: ExactSums) -> None:
    cube[metric, 0, edge.period] += sums.counts[0]
    for row, part in enumerate(sums.parts[: cube.shape[1] - 1], 1):
        cube[metric, row, edge.period] += part[0]
