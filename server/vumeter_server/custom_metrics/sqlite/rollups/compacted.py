"""Compacted rollups: sums by label set of neighbouring days, which answer long ranges.

One of level n holds the sums of n days that begin at a multiple of n, of their segments up to
number `through`; segments that came later are read beside it. Owns the tables `series_blocks` and
`series_sums`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from vumeter_server.custom_metrics.sqlite.formats.segments import segments_of
from vumeter_server.custom_metrics.sqlite.rollups.building import Summed, read_by_label_set
from vumeter_server.sqlite.library import sqlite3

# How many days a rollup has, from the smallest; each level is a multiple of the one before.
LEVELS = (8, 64)
# A rollup is computed when its last day is this many days over, so that few points come late.
CLOSED_FOR_DAYS = 1
# It is computed again when this many segments came after it.
LATE_SEGMENTS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactedRollup:
    """One rollup: days [block * level, (block + 1) * level)."""

    level: int
    block: int
    through: int

    @property
    def first_day(self) -> int:
        """The first of its days."""
        return self.block * self.level

    @property
    def end_day(self) -> int:
        """The first day after it."""
        return (self.block + 1) * self.level


@dataclass(frozen=True, kw_only=True, slots=True)
class Cover:
    """How whole days are read: from rollups, and from the segments that no rollup holds.

    `pieces` are (first day, end day, part): of these days the segments after that number.
    """

    rollups: list[CompactedRollup]
    pieces: list[tuple[int, int, int]]


def cover(connection: sqlite3.Connection, organization_id: int, first: int, end: int) -> Cover:
    """Return how to read the days [first, end), from as few rollups as possible."""
    rows = connection.execute(
        "SELECT level, block, through FROM series_blocks WHERE organization_id = ?"
        " ORDER BY level DESC, block",
        (organization_id,),
    )
    chosen: list[CompactedRollup] = []
    for level, block, through in rows:
        each = CompactedRollup(level=level, block=block, through=through)
        if (
            first <= each.first_day
            and each.end_day <= end
            and not any(
                larger.first_day <= each.first_day < larger.end_day
                for larger in chosen
                if larger.level > level
            )
        ):
            chosen.append(each)
    chosen.sort(key=lambda each: each.first_day)
    pieces = []
    day = first
    for each in chosen:
        if day < each.first_day:
            pieces.append((day, each.first_day, -1))
        pieces.append((each.first_day, each.end_day, each.through))
        day = each.end_day
    if day < end:
        pieces.append((day, end, -1))
    segments = segments_of(connection, organization_id, first, end)
    # Few segments come late: looking for them metric by metric would be most of the statements.
    return Cover(
        rollups=chosen, pieces=[piece for piece in pieces if _has_segment(segments, *piece)]
    )


def _has_segment(segments: list[tuple[int, int]], first: int, end: int, after_part: int) -> bool:
    """Whether days [first, end) have a segment after that number; `segments` are by day."""
    of_days = segments[bisect_left(segments, (first,)) : bisect_left(segments, (end,))]
    return any(part > after_part for _, part in of_days)


def due(connection: sqlite3.Connection, today: int) -> list[tuple[int, int, int]]:
    """Return (organization, level, block) of rollups that are due, the smaller levels first."""
    found = []
    for level in LEVELS:
        rows = connection.execute(
            "SELECT d.organization_id, d.day / ?1 AS number FROM metric_days d"
            " LEFT JOIN series_blocks b ON b.organization_id = d.organization_id"
            " AND b.level = ?1 AND b.block = d.day / ?1"
            " GROUP BY d.organization_id, d.day / ?1"
            " HAVING (number + 1) * ?1 + ?2 <= ?3"
            " AND count(CASE WHEN b.through IS NULL OR d.part > b.through THEN 1 END) >="
            " CASE WHEN max(b.through) IS NULL THEN 1 ELSE ?4 END",
            (level, CLOSED_FOR_DAYS, today, LATE_SEGMENTS),
        )
        found += [(organization_id, level, block) for organization_id, block in rows]
    return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NewRollup:
    """What computing a compacted rollup writes; `sums` are (metric, blob)."""

    organization_id: int
    rollup: CompactedRollup
    sums: list[tuple[int, bytes]]


def write(connection: sqlite3.Connection, new: NewRollup) -> None:
    """Write a rollup in the place of an older one."""
    rollup = new.rollup
    connection.execute(
        "INSERT OR REPLACE INTO series_blocks (organization_id, level, block, through)"
        " VALUES (?, ?, ?, ?)",
        (new.organization_id, rollup.level, rollup.block, rollup.through),
    )
    _delete_sums(connection, new.organization_id, rollup.level, rollup.block)
    connection.executemany(
        "INSERT INTO series_sums (organization_id, metric_code, level, block, sums)"
        " VALUES (?, ?, ?, ?, ?)",
        [
            (new.organization_id, metric, rollup.level, rollup.block, blob)
            for metric, blob in new.sums
        ],
    )


def read(
    connection: sqlite3.Connection, organization_id: int, rollup: CompactedRollup, metric: int
) -> Summed | None:
    """Return the sums of a metric in a rollup by label set; None if it has no points."""
    row = connection.execute(
        "SELECT sums FROM series_sums WHERE organization_id = ? AND metric_code = ?"
        " AND level = ? AND block = ?",
        (organization_id, metric, rollup.level, rollup.block),
    ).fetchone()
    return None if row is None else read_by_label_set(row[0])


def delete_of_day(connection: sqlite3.Connection, organization_id: int, day: int) -> None:
    """Delete the rollups that hold a day, because its segments are no longer what they were."""
    for level in unlist_day(connection, organization_id, day):
        _delete_sums(connection, organization_id, level, day // level)


def unlist_day(connection: sqlite3.Connection, organization_id: int, day: int) -> list[int]:
    """Take the rollups that hold a day out of the list of those there are; return their levels.

    Their sums, which nobody reads any more, are left to `clean_up`.
    """
    return [
        level
        for level in LEVELS
        if connection.execute(
            "DELETE FROM series_blocks WHERE organization_id = ? AND level = ? AND block = ?",
            (organization_id, level, day // level),
        ).rowcount
    ]


def clean_up(connection: sqlite3.Connection, organization_id: int, day: int) -> None:
    """Delete the sums of rollups that hold a day and are not listed."""
    for level in LEVELS:
        listed = connection.execute(
            "SELECT 1 FROM series_blocks WHERE organization_id = ? AND level = ? AND block = ?",
            (organization_id, level, day // level),
        ).fetchone()
        if listed is None:
            _delete_sums(connection, organization_id, level, day // level)


def _delete_sums(
    connection: sqlite3.Connection, organization_id: int, level: int, block: int
) -> None:
    connection.execute(
        "DELETE FROM series_sums WHERE organization_id = ?1"
        " AND metric_code IN (SELECT metric_code FROM metrics WHERE organization_id = ?1)"
        " AND level = ?2 AND block = ?3",
        (organization_id, level, block),
    )
