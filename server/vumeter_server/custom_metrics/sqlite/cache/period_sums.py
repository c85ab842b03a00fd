"""Sums between any two instants: of whole rollup intervals, and of points where one is cut.

A bound that cuts an interval takes what the interval has before it from the period behind and gives
it to the period in front. That is a difference of prefix sums, as long as these are exact. Where
they are not, what each period has at its edges is summed point by point.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.head import HeadPoints
from vumeter_server.custom_metrics.sqlite.cache.point_sums import PointSums
from vumeter_server.custom_metrics.sqlite.cache.prefix_sums import Cube, PrefixSums
from vumeter_server.custom_metrics.sqlite.cache.ranges import Edge, Periods
from vumeter_server.custom_metrics.sqlite.formats.columns import DAY_US
from vumeter_server.custom_metrics.sqlite.rollups.intervals import CELL_US

HeadOfInterval = Callable[[int], HeadPoints]
"""Returns the points of the head in a rollup interval."""


def sums_between(
    intervals: PrefixSums,
    points: Sequence[PointSums],
    head: HeadOfInterval | None,
    codes: Sequence[int],
    periods: Periods,
) -> Cube:
    """Return the sums of metrics in some periods.

    Args:
        intervals: the interval sums, of all metrics that are asked for.
        points: the points of the days on which intervals are cut, in the order of days.
        head: the points that are not flushed; None if no interval that is cut has some.
        codes: the metrics.
        periods: the periods.
    """
    cube = intervals.between(codes, periods.intervals)
    if not len(periods.cuts):
        return cube
    if not intervals.are_exact(codes) or not all(each.is_exact for each in points):
        return _sums_at_edges(intervals, points, head, codes, periods)
    before = _sums_before_cuts(cube.shape[1], points, codes, periods)
    if head is not None:
        _add_head(before, head, codes, periods)
    cuts, count = periods.cuts, len(periods)
    if len(cuts) == count + 1:
        cube += before[:, :, 1:]
        cube -= before[:, :, :-1]
        return cube
    first, end = int(cuts[0] == 0), len(cuts) - int(cuts[-1] == count)
    cube[:, :, cuts[first:] - 1] += before[:, :, first:]
    cube[:, :, cuts[:end]] -= before[:, :, :end]
    return cube


def _sums_before_cuts(
    rows: int, points: Sequence[PointSums], codes: Sequence[int], periods: Periods
) -> Cube:
    """Return what the cut intervals have before each cut: float64[metrics, rows, cuts]."""
    column = np.array(codes, np.int64)[:, None]
    cuts_us = periods.cuts_us
    before = np.zeros((len(codes), rows, len(cuts_us)))
    start = 0
    for each in points:
        end = int(cuts_us.searchsorted(each.unit.end * DAY_US))
        counts, sums = each.before(column, cuts_us[start:end])
        before[:, 0, start:end] = counts
        # Rows that the cube does not have are those of other metrics' fractions.
        height = min(len(sums), rows - 1)
        before[:, 1 : height + 1, start:end] = sums[:height].transpose(1, 0, 2)
        start = end
    return before


def _add_head(before: Cube, head: HeadOfInterval, codes: Sequence[int], periods: Periods) -> None:
    row_of_code = {code: row for row, code in enumerate(codes)}
    cuts_us = periods.cuts_us.tolist()
    for cut, (interval, cut_us) in enumerate(zip(periods.cut_intervals, cuts_us, strict=True)):
        points = head(interval)
        if len(points):
            sums = _sums_of(points, row_of_code, interval * CELL_US, cut_us)
            before[:, 0, cut] += sums.counts
            for row, part in enumerate(sums.parts, 1):
                before[:, row, cut] += part


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


def _sums_at_edges(
    intervals: PrefixSums,
    points: Sequence[PointSums],
    head: HeadOfInterval | None,
    codes: Sequence[int],
    periods: Periods,
) -> Cube:
    """Do as `sums_between` where only whole intervals and points can be added up exactly."""
    cube = intervals.between(codes, periods.whole)[:, :, ::2]
    ends = [each.unit.end * DAY_US for each in points]
    row_of_code = {code: row for row, code in enumerate(codes)}
    for edge in periods.edges:
        if head is not None:
            found = head(edge.start_us // CELL_US)
            of_head = _sums_of(found, row_of_code, edge.start_us, edge.end_us)
            cube[:, 0, edge.period] += of_head.counts
            for row, part in enumerate(of_head.parts, 1):
                cube[:, row, edge.period] += part
        flushed = points[bisect_left(ends, edge.end_us)]
        for code, metric in row_of_code.items():
            _add(cube, metric, edge, flushed.between(code, edge.start_us, edge.end_us))
    return cube


def _add(cube: Cube, metric: int, edge: Edge, sums: ExactSums) -> None:
    cube[metric, 0, edge.period] += sums.counts[0]
    for row, part in enumerate(sums.parts[: cube.shape[1] - 1], 1):
        cube[metric, row, edge.period] += part[0]
