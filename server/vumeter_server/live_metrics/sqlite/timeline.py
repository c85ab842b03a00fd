"""History as it is written: the marks and rollups that one job adds and removes.

A rollup interval (a row of `live_cells`) holds the sums of marks over a minute or an hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from vumeter_server.live_metrics.counters import COUNTS_AS, Counter
from vumeter_server.live_metrics.marks import STARTS_AND_ENDS, Mark
from vumeter_server.live_metrics.sqlite.rows import (
    ADD_TO_ROLLUP,
    DELETE_MARK,
    DROP_EMPTY_ROLLUP,
    INSERT_MARK,
)
from vumeter_server.sqlite.library import sqlite3

MINUTE_US = 60_000_000
MINUTE = 1
HOUR = 60
WIDTHS = (MINUTE, HOUR)
ALL_TENANTS = 0

_NET = len(Counter)


@dataclass(slots=True, eq=False)
class HistoryWriter:
    """Collects the marks that a job adds and removes, and writes them with their rollups."""

    _added: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    _removed: list[tuple[int, int, int]] = field(default_factory=list)
    _sums: dict[tuple[int, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * (_NET + 1))
    )
    _dirty: set[tuple[int, int]] = field(default_factory=set)

    def add(self, call_no: int, tenant_no: int, marks: Iterable[Mark]) -> None:
        """Add marks of a call."""
        for us, kind, amount in marks:
            self._added.append((us, call_no, int(kind), tenant_no, amount))
            self._count(tenant_no, us, kind, amount, 1)

    def remove(self, call_no: int, tenant_no: int, marks: Iterable[Mark]) -> None:
        """Remove marks of a call."""
        for us, kind, amount in marks:
            self._removed.append((us, call_no, int(kind)))
            self._count(tenant_no, us, kind, amount, -1)

    def _count(self, tenant_no: int, us: int, kind: Counter, amount: int, sign: int) -> None:
        key = (tenant_no, us // MINUTE_US)
        rollup = self._sums[key]
        if kind is Counter.MINUTES:
            rollup[kind] += sign * amount
            return
        for counted in COUNTS_AS[kind]:
            rollup[counted] += sign
        if amount and kind in STARTS_AND_ENDS:
            rollup[_NET] += sign * amount
            self._dirty.add(key)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write the collected marks and their rollups; to be called once."""
        # Removals first: a mark may be added again at its place with another amount.
        connection.executemany(DELETE_MARK, self._removed)
        connection.executemany(INSERT_MARK, self._added)
        connection.executemany(
            ADD_TO_ROLLUP,
            [
                (*key, *sums, None if key in dirty else 0)
                for rollups, dirty in map(self._joined, WIDTHS)
                for key, sums in rollups.items()
            ],
        )

    def _joined(self, width: int) -> _Rollups:
        """Return the rollups of a width, of each tenant and of all, and which peaks changed."""
        joined: dict[tuple[int, int, int], list[int]] = {}
        dirty = set()
        for (tenant_no, minute), sums in self._sums.items():
            for owner in (tenant_no, ALL_TENANTS):
                key = (owner, width, minute // width * width)
                if (tenant_no, minute) in self._dirty:
                    dirty.add(key)
                if key in joined:
                    joined[key] = [a + b for a, b in zip(joined[key], sums, strict=True)]
                else:
                    joined[key] = sums
        return joined, dirty

    def drop_empty_rollups(self, connection: sqlite3.Connection) -> None:
        """Remove those of the changed rollups in which nothing is counted any more."""
        connection.executemany(
            DROP_EMPTY_ROLLUP,
            [key for rollups, _ in map(self._joined, WIDTHS) for key in rollups],
        )


_Rollups = tuple[dict[tuple[int, int, int], list[int]], set[tuple[int, int, int]]]
