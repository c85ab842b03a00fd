"""History read from SQLite: cells of an hour or a minute, and marks where a cell is cut."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from vumeter_server.live_metrics.counters import COLUMNS, Kind, counters
from vumeter_server.live_metrics.history import (
    Bucket,
    Buckets,
    Span,
    fold,
    joined_peak,
    relative_peak,
)
from vumeter_server.live_metrics.sqlite.timeline import ALL_TENANTS, HOUR, MINUTE, MINUTE_US

_HOUR_US = HOUR * MINUTE_US
_IS_START_OR_END = f"kind IN ({Kind.STARTED:d}, {Kind.ENDED:d}, {Kind.FAILED:d})"


@dataclass(frozen=True, slots=True)
class Timelines:
    """The history of one tenant, or of all (`ALL_TENANTS`), in one snapshot of the file."""

    connection: sqlite3.Connection
    tenant_no: int

    def buckets(self, buckets: Buckets) -> list[Bucket]:
        """Return every bucket."""
        if buckets.number == 0:
            return []
        return fold(buckets, self._active_before(buckets.start_us), self._spans(buckets))

    def _active_before(self, us: int) -> int:
        """Return how many calls were active just before `us`."""
        hour = us // _HOUR_US * HOUR
        minute = us // MINUTE_US
        active = self._net(HOUR, 0, hour) + self._net(MINUTE, hour, minute)
        (change,) = self.connection.execute(
            "SELECT coalesce(sum(amount), 0) FROM live_marks"
            f" WHERE us >= ? AND us < ? AND {_IS_START_OR_END} {self._and_tenant()}",
            (minute * MINUTE_US, us),
        ).fetchone()
        return active + int(change)

    def _net(self, width: int, start: int, end: int) -> int:
        (net,) = self.connection.execute(
            "SELECT coalesce(sum(net), 0) FROM live_cells"
            " WHERE tenant_no = ? AND width = ? AND start >= ? AND start < ?",
            (self.tenant_no, width, start, end),
        ).fetchone()
        return int(net)

    def _spans(self, buckets: Buckets) -> Iterator[Span]:
        start, end, step = buckets.start_us, buckets.end_us, buckets.step_us
        for width_us, width in ((_HOUR_US, HOUR), (MINUTE_US, MINUTE)):
            if step % width_us == 0 and buckets.start_us % width_us == 0:
                whole = end // width_us * width_us
                yield from self._cells(width, start, whole)
                start = max(start, whole)
        if step < 2 * MINUTE_US or start % MINUTE_US == 0:
            yield from self._marks(start, end)
        else:
            yield from self._around_edges(start, end, step)

    def _around_edges(self, start: int, end: int, step: int) -> Iterator[Span]:
        """Read whole minutes as cells and only the minutes that hold an edge as marks."""
        edge = start
        while edge < end:
            following = min(edge + step, end)
            first_whole = -(-edge // MINUTE_US) * MINUTE_US
            last_whole = following // MINUTE_US * MINUTE_US
            if first_whole >= last_whole:
                yield from self._marks(edge, following)
            else:
                yield from self._marks(edge, first_whole)
                yield from self._cells(MINUTE, first_whole, last_whole)
                yield from self._marks(last_whole, following)
            edge = following

    def _cells(self, width: int, start_us: int, end_us: int) -> Iterator[Span]:
        if start_us >= end_us:
            return
        for start, net, known_peak, *sums in self.connection.execute(
            f"SELECT start, net, peak, {', '.join(COLUMNS)} FROM live_cells"
            " WHERE tenant_no = ? AND width = ? AND start >= ? AND start < ? ORDER BY start",
            (self.tenant_no, width, start_us // MINUTE_US, end_us // MINUTE_US),
        ):
            peak = self.peak(width, start) if known_peak is None else known_peak
            cell_us = start * MINUTE_US
            yield Span(cell_us, cell_us + width * MINUTE_US, tuple(sums), net, peak)

    def peak(self, width: int, start: int) -> int:
        """Work out the peak of a cell, relative to the number of active calls before it."""
        start_us = start * MINUTE_US
        if width == HOUR:
            return joined_peak(start_us, self._cells(MINUTE, start_us, start_us + _HOUR_US))
        return relative_peak(
            start_us,
            self.connection.execute(
                "SELECT us, sum(amount) FROM live_marks"
                f" WHERE us >= ? AND us < ? AND {_IS_START_OR_END} {self._and_tenant()}"
                " GROUP BY us ORDER BY us",
                (start_us, start_us + MINUTE_US),
            ),
        )

    def _marks(self, start_us: int, end_us: int) -> Iterator[Span]:
        """Read single instants; one at which anything happened is a span of a microsecond."""
        if start_us >= end_us:
            return
        at: int | None = None
        amounts: list[tuple[Kind, int]] = []
        net = 0
        for us, kind, amount in self.connection.execute(
            "SELECT us, kind, amount FROM live_marks"
            f" WHERE us >= ? AND us < ? {self._and_tenant()} ORDER BY us",
            (start_us, end_us),
        ):
            if us != at:
                if at is not None:
                    yield Span(at, at + 1, counters(amounts), net, net)
                at, amounts, net = us, [], 0
            counted, change = counted_as(Kind(kind), amount)
            amounts += counted
            net += change
        if at is not None:
            yield Span(at, at + 1, counters(amounts), net, net)

    def _and_tenant(self) -> str:
        return "" if self.tenant_no == ALL_TENANTS else f"AND tenant_no = {self.tenant_no:d}"


def counted_as(kind: Kind, amount: int) -> tuple[list[tuple[Kind, int]], int]:
    """Return what a mark counts as, and by how much it changes the number of active calls."""
    if kind is Kind.MINUTES:
        return [(kind, amount)], 0
    if kind is Kind.FAILED:
        return [(Kind.ENDED, 1), (kind, 1)], amount
    return [(kind, 1)], amount if kind in {Kind.STARTED, Kind.ENDED} else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkedOut:
    """The peak of a cell as it was after `changes` changes."""

    tenant_no: int
    width: int
    start: int
    changes: int
    peak: int


def work_out(
    connection: sqlite3.Connection, width: int, before: int, limit: int
) -> list[WorkedOut]:
    """Work out the peaks that are missing in cells of `width` that ended before minute `before`."""
    missing = connection.execute(
        "SELECT tenant_no, start, changes FROM live_cells"
        " WHERE peak IS NULL AND width = ? AND start <= ? ORDER BY start, tenant_no LIMIT ?",
        (width, before - width, limit),
    ).fetchall()
    if width == HOUR:
        return [
            WorkedOut(
                tenant_no=tenant_no,
                width=width,
                start=start,
                changes=changes,
                peak=Timelines(connection, tenant_no).peak(width, start),
            )
            for tenant_no, start, changes in missing
        ]
    found = []
    by_minute = defaultdict(list)
    for tenant_no, start, changes in missing:
        by_minute[start].append((tenant_no, changes))
    for start, cells in by_minute.items():
        # All tenants of a minute in one pass over its marks.
        changes_by_tenant = _changes(connection, start)
        for tenant_no, changes in cells:
            peak = relative_peak(start * MINUTE_US, changes_by_tenant[tenant_no].items())
            found.append(
                WorkedOut(tenant_no=tenant_no, width=width, start=start, changes=changes, peak=peak)
            )
    return found


def _changes(connection: sqlite3.Connection, minute: int) -> dict[int, dict[int, int]]:
    changes: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for us, tenant_no, amount in connection.execute(
        "SELECT us, tenant_no, amount FROM live_marks"
        f" WHERE us >= ? AND us < ? AND {_IS_START_OR_END} ORDER BY us",
        (minute * MINUTE_US, (minute + 1) * MINUTE_US),
    ):
        changes[tenant_no][us] += amount
        changes[ALL_TENANTS][us] += amount
    return changes


def store_peaks(connection: sqlite3.Connection, peaks: list[WorkedOut]) -> None:
    """Keep peaks, but for cells that changed since they were worked out."""
    connection.executemany(
        "UPDATE live_cells SET peak = ? WHERE tenant_no = ? AND width = ? AND start = ?"
        " AND changes = ?",
        [(each.peak, each.tenant_no, each.width, each.start, each.changes) for each in peaks],
    )
