"""Which segments become one, or are read at once: so many that memory stays bounded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

from vumeter_server.custom_metrics.sqlite.formats.segments import EVERY_PART, SegmentRange
from vumeter_server.sqlite.library import sqlite3

# A day of more points has several segments, so that the memory and the transaction of whatever
# reads or writes one are bounded, and no point is written again without end.
MAX_POINTS: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One segment: its number, its points, and whether its rollups are those of this version."""

    part: int
    points: int
    has_rollups: bool = True


def in_groups(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Divide the segments of a day, from the oldest on, into groups of at most `MAX_POINTS`.

    Of two neighbouring groups the points are more than that.
    """
    group: list[Segment] = []
    points = 0
    for each in segments:
        if group and points + each.points > MAX_POINTS:
            yield group
            group, points = [], 0
        group.append(each)
        points += each.points
    if group:
        yield group


def most_groups(points: int) -> int:
    """Return how many groups so many points of a day may be."""
    return 1 + 2 * points // MAX_POINTS


def range_of(group: list[Segment], organization_id: int, day: int) -> SegmentRange:
    """Return the segments of a group."""
    return SegmentRange(
        organization_id=organization_id, day=day, first=group[0].part, last=group[-1].part
    )


def groups_of_day(connection: sqlite3.Connection, segments: SegmentRange) -> list[SegmentRange]:
    """Divide those segments of a day that are listed into groups."""
    rows = connection.execute(
        "SELECT part, points FROM metric_days WHERE organization_id = ? AND day = ?"
        " AND part BETWEEN ? AND ? ORDER BY part",
        (segments.organization_id, segments.day, segments.first, segments.last),
    )
    groups = in_groups(Segment(part=part, points=points) for part, points in rows)
    return [range_of(group, segments.organization_id, segments.day) for group in groups]


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentSpan:
    """Segments that are read at once: those of some days with numbers between two others."""

    days: tuple[int, int]
    after_part: int
    before_part: int = EVERY_PART


def spans_of_days(
    connection: sqlite3.Connection, organization_id: int, first: int, end: int, after_part: int
) -> list[SegmentSpan]:
    """Divide the segments of days [first, end) with greater numbers into spans, in order.

    Days of few points are read together, and a day of many points in several spans.
    """
    listed = "FROM metric_days WHERE organization_id = ? AND day >= ? AND day < ? AND part > ?"
    which = (organization_id, first, end, after_part)
    points, first_day, last_day = connection.execute(
        f"SELECT sum(points), min(day), max(day) {listed}", which
    ).fetchone()
    if points is None:
        return []
    if points <= MAX_POINTS:
        # This is only faster.
        return [SegmentSpan(days=(first_day, last_day + 1), after_part=after_part)]
    rows = connection.execute(f"SELECT day, part, points {listed} ORDER BY day, part", which)
    spans: list[SegmentSpan] = []
    room = 0
    for day, of_day in itertools.groupby(rows, key=itemgetter(0)):
        groups = list(in_groups(Segment(part=part, points=points) for _, part, points in of_day))
        points = sum(each.points for each in groups[0])
        if len(groups) > 1:
            spans += [
                SegmentSpan(
                    days=(day, day + 1),
                    after_part=group[0].part - 1,
                    before_part=group[-1].part + 1,
                )
                for group in groups
            ]
            room = 0
        elif points <= room:
            spans[-1] = replace(spans[-1], days=(spans[-1].days[0], day + 1))
            room -= points
        else:
            spans.append(SegmentSpan(days=(day, day + 1), after_part=after_part))
            room = MAX_POINTS - points
    return spans
