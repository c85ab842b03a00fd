"""Blocks of neighbouring days, summed by series: what long ranges are answered from.

A block of level n holds the sums of n days that begin at a multiple of n, of their parts up to
number `through`; parts that came later are read beside it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Array, Kind, decode
from vumeter_server.custom_metrics.sqlite.rollups.building import (
    merge_by_series,
    read_by_series,
    sum_by,
)
from vumeter_server.sqlite.library import sqlite3

# Blocks of days, from the smallest; each level is a multiple of the one before.
LEVELS = (8, 64)
# A block is made when its last day is this many days over, so that few points come late.
CLOSED_FOR_DAYS = 1
# A block is made anew when this many parts came after it.
LATE_PARTS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One block: days [block * level, (block + 1) * level)."""

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
class Plan:
    """How whole days are read: from blocks, and from the parts of days that no block holds.

    `pieces` are (first day, end day, part): of these days the parts after that number.
    """

    blocks: list[Block]
    pieces: list[tuple[int, int, int]]


def plan(connection: sqlite3.Connection, organization_id: int, first: int, end: int) -> Plan:
    """Return how to read the days [first, end), from as few blocks as possible."""
    rows = connection.execute(
        "SELECT level, block, through FROM series_blocks WHERE organization_id = ?"
        " ORDER BY level DESC, block",
        (organization_id,),
    )
    chosen: list[Block] = []
    for level, block, through in rows:
        each = Block(level=level, block=block, through=through)
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
    parts = connection.execute(
        "SELECT day, part FROM metric_days WHERE organization_id = ? AND day >= ? AND day < ?"
        " ORDER BY day, part",
        (organization_id, first, end),
    ).fetchall()
    # Few parts come late: looking for them metric by metric would be most of the statements.
    return Plan(blocks=chosen, pieces=[piece for piece in pieces if _has_part(parts, *piece)])


def _has_part(parts: list[tuple[int, int]], first: int, end: int, after_part: int) -> bool:
    """Whether days [first, end) have a part after that number; `parts` are ordered by day."""
    of_days = parts[bisect_left(parts, (first,)) : bisect_left(parts, (end,))]
    return any(part > after_part for _, part in of_days)


def to_make(connection: sqlite3.Connection, today: int) -> list[tuple[int, int, int]]:
    """Return (organization, level, block) of blocks that are due, the smaller levels first."""
    due = []
    for level in LEVELS:
        rows = connection.execute(
            "SELECT d.organization_id, d.day / ?1 AS number FROM metric_days d"
            " LEFT JOIN series_blocks b ON b.organization_id = d.organization_id"
            " AND b.level = ?1 AND b.block = d.day / ?1"
            " GROUP BY d.organization_id, d.day / ?1"
            " HAVING (number + 1) * ?1 + ?2 <= ?3"
            " AND count(CASE WHEN b.through IS NULL OR d.part > b.through THEN 1 END) >="
            " CASE WHEN max(b.through) IS NULL THEN 1 ELSE ?4 END",
            (level, CLOSED_FOR_DAYS, today, LATE_PARTS),
        )
        due += [(organization_id, level, block) for organization_id, block in rows]
    return due


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NewBlock:
    """What making a block writes."""

    organization_id: int
    block: Block
    sums: list[tuple[int, int, int, int, bytes]]


def prepare(snapshot: Snapshot, level: int, block: int) -> NewBlock | None:
    """Sum a block by series, from smaller blocks where there are some; None if there is nothing."""
    first, end = block * level, (block + 1) * level
    (through,) = snapshot.connection.execute(
        "SELECT max(part) FROM metric_days WHERE organization_id = ? AND day >= ? AND day < ?",
        (snapshot.organization_id, first, end),
    ).fetchone()
    if through is None:
        return None
    planned = plan(snapshot.connection, snapshot.organization_id, first, end)
    smaller = [each for each in planned.blocks if each.level < level]
    pieces = planned.pieces if len(smaller) == len(planned.blocks) else [(first, end, -1)]
    sums = []
    for metric in sorted(snapshot.metrics.names):
        parts = [part for each in smaller if (part := read(snapshot, each, metric)) is not None]
        for piece in pieces:
            parts += [
                sum_by(series, values) for series, values in _read_days(snapshot, metric, *piece)
            ]
        if parts:
            sums.append((snapshot.organization_id, metric, level, block, merge_by_series(parts)))
    return NewBlock(
        organization_id=snapshot.organization_id,
        block=Block(level=level, block=block, through=through),
        sums=sums,
    )


def apply(connection: sqlite3.Connection, new: NewBlock) -> None:
    """Write a block in the place of an older one."""
    block = new.block
    connection.execute(
        "INSERT OR REPLACE INTO series_blocks VALUES (?, ?, ?, ?)",
        (new.organization_id, block.level, block.block, block.through),
    )
    _delete_sums(connection, new.organization_id, block.level, block.block)
    connection.executemany("INSERT INTO series_sums VALUES (?, ?, ?, ?, ?)", new.sums)


def read(snapshot: Snapshot, block: Block, metric: int) -> tuple[Array, ExactSums] | None:
    """Return the series of a metric in a block, and their sums; None if it has no points."""
    row = snapshot.connection.execute(
        "SELECT sums FROM series_sums WHERE organization_id = ? AND metric_code = ?"
        " AND level = ? AND block = ?",
        (snapshot.organization_id, metric, block.level, block.block),
    ).fetchone()
    return None if row is None else read_by_series(row[0])


def delete_of_day(connection: sqlite3.Connection, organization_id: int, day: int) -> None:
    """Delete the blocks that hold a day, because its parts are no longer what they were."""
    for level in LEVELS:
        deleted = connection.execute(
            "DELETE FROM series_blocks WHERE organization_id = ? AND level = ? AND block = ?",
            (organization_id, level, day // level),
        )
        if deleted.rowcount:
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


def _read_days(
    snapshot: Snapshot, metric: int, first: int, end: int, after_part: int
) -> list[tuple[Array, Array]]:
    columns: dict[Kind, dict[tuple[int, int], Array]] = {}
    for kind in (Kind.SERIES, Kind.VALUE):
        rows = snapshot.connection.execute(
            "SELECT day, part, column FROM metric_columns WHERE organization_id = ?"
            " AND metric_code = ? AND kind = ? AND day >= ? AND day < ? AND part > ?",
            (snapshot.organization_id, metric, kind, first, end, after_part),
        )
        columns[kind] = {(day, part): decode(column) for day, part, column in rows}
    return [(columns[Kind.SERIES][key], values) for key, values in columns[Kind.VALUE].items()]
