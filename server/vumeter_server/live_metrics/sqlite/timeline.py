"""Marks and cells as they are written: what one job adds to history and takes from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from vumeter_server.live_metrics.counters import Kind
from vumeter_server.live_metrics.marks import STARTS_AND_ENDS, Mark
from vumeter_server.live_metrics.sqlite.rows import (
    ADD_TO_CELL,
    DELETE_MARK,
    DROP_EMPTY_CELL,
    INSERT_MARK,
)
from vumeter_server.sqlite.library import sqlite3

MINUTE_US = 60_000_000
MINUTE = 1
HOUR = 60
WIDTHS = (MINUTE, HOUR)
ALL_TENANTS = 0

_NET = len(Kind)


@dataclass(slots=True, eq=False)
class Timeline:
    """Collects the marks that a job puts and takes back, and writes them with their cells."""

    _put: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    _taken: list[tuple[int, int, int]] = field(default_factory=list)
    _cells: dict[tuple[int, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * (_NET + 1))
    )
    _dirty: set[tuple[int, int]] = field(default_factory=set)

    def put(self, call_no: int, tenant_no: int, marks: Iterable[Mark]) -> None:
        """Add marks of a call."""
        for us, kind, amount in marks:
            self._put.append((us, call_no, int(kind), tenant_no, amount))
            self._count(tenant_no, us, kind, amount, 1)

    def take(self, call_no: int, tenant_no: int, marks: Iterable[Mark]) -> None:
        """Take back marks of a call."""
        for us, kind, amount in marks:
            self._taken.append((us, call_no, int(kind)))
            self._count(tenant_no, us, kind, amount, -1)

    def _count(self, tenant_no: int, us: int, kind: Kind, amount: int, sign: int) -> None:
        key = (tenant_no, us // MINUTE_US)
        cell = self._cells[key]
        if kind is Kind.MINUTES:
            cell[kind] += sign * amount
            return
        cell[kind] += sign
        if kind is Kind.FAILED:
            cell[Kind.ENDED] += sign
        if amount and kind in STARTS_AND_ENDS:
            cell[_NET] += sign * amount
            self._dirty.add(key)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write marks and cells; what was collected is used up."""
        # First what is taken back: a mark may come back at its place with another amount.
        connection.executemany(DELETE_MARK, self._taken)
        connection.executemany(INSERT_MARK, self._put)
        connection.executemany(
            ADD_TO_CELL,
            [
                (*key, *sums, None if key in dirty else 0)
                for cells, dirty in map(self._joined, WIDTHS)
                for key, sums in cells.items()
            ],
        )

    def _joined(self, width: int) -> _Cells:
        """Return the cells of a width, of each tenant and of all, and those that changed peaks."""
        joined: dict[tuple[int, int, int], list[int]] = {}
        dirty = set()
        for (tenant_no, minute), sums in self._cells.items():
            for owner in (tenant_no, ALL_TENANTS):
                key = (owner, width, minute // width * width)
                if (tenant_no, minute) in self._dirty:
                    dirty.add(key)
                if key in joined:
                    joined[key] = [a + b for a, b in zip(joined[key], sums, strict=True)]
                else:
                    joined[key] = sums
        return joined, dirty

    def drop_empty_cells(self, connection: sqlite3.Connection) -> None:
        """Remove those of the touched cells in which nothing is counted any more."""
        connection.executemany(
            DROP_EMPTY_CELL,
            [key for cells, _ in map(self._joined, WIDTHS) for key in cells],
        )


_Cells = tuple[dict[tuple[int, int, int], list[int]], set[tuple[int, int, int]]]
