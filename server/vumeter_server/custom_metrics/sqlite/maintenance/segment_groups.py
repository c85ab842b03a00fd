"""Which segments of a day become one: as many as make no large one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vumeter_server.custom_metrics.sqlite.formats.segments import SegmentRange
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
