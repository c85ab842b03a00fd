"""History read from SQLite: rollups of hours and minutes, and marks where a bucket cuts one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vumeter_server.live_metrics.counters import COLUMNS, COUNTS_AS, Counter, counters
from vumeter_server.live_metrics.history import (
    Bucket,
    Buckets,
    Span,
    fill_buckets,
    joined_peak,
    relative_peak,
)
from vumeter_server.live_metrics.marks import STARTS_AND_ENDS
from vumeter_server.live_metrics.sqlite.deletion import deleted_tenants
from vumeter_server.live_metrics.sqlite.timeline import ALL_TENANTS, HOUR, MINUTE, MINUTE_US
from vumeter_server.sqlite.library import sqlite3

_HOUR_US = HOUR * MINUTE_US
_IS_START_OR_END = f"kind IN ({', '.join(f'{kind:d}' for kind in STARTS_AND_ENDS)})"

_ROLLUPS = (
    f"SELECT start, net, peak, {', '.join(COLUMNS)} FROM live_cells"
    " WHERE tenant_no = ?1 AND width = ?2 AND start >= ?3 AND start < ?4 ORDER BY start"
)
# Where a deleted tenant has a part, the peak has to be computed without it.
_WITHOUT_DELETED = (
    "SELECT start, a.net - coalesce(x.net, 0), CASE WHEN x.start IS NULL THEN a.peak END,"
    f" {', '.join(f'a.{name} - coalesce(x.{name}, 0)' for name in COLUMNS)}"
    " FROM live_cells AS a LEFT JOIN ("
    f"  SELECT start, sum(net) AS net, {', '.join(f'sum({name}) AS {name}' for name in COLUMNS)}"
    "   FROM live_cells WHERE tenant_no IN ({}) AND width = ?2 AND start >= ?3 AND start < ?4"
    "   GROUP BY start) AS x USING (start)"
    " WHERE a.tenant_no = ?1 AND a.width = ?2 AND start >= ?3 AND start < ?4 ORDER BY start"
)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"{number:d}" for number in numbers)


@dataclass(frozen=True, slots=True)
class HistoryReader:
    """The history of one tenant, or of all (`ALL_TENANTS`), in one snapshot of the file."""

    connection: sqlite3.Connection
    tenant_no: int
    deleted: Sequence[int]
    """Numbers of tenants that do not count in that of all, since they are deleted."""

    @classmethod
    def of(cls, connection: sqlite3.Connection, tenant_no: int) -> HistoryReader:
        """Return the reader of a tenant or of all."""
        is_of_all = tenant_no == ALL_TENANTS
        return cls(connection, tenant_no, deleted_tenants(connection) if is_of_all else ())

    def buckets(self, buckets: Buckets) -> list[Bucket]:
        """Return every bucket."""
        if buckets.number == 0:
            return []
        return fill_buckets(buckets, self._active_before(buckets.start_us), self._spans(buckets))

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
        nets = self.connection.execute(
            "SELECT tenant_no, sum(net) FROM live_cells"
            f" WHERE tenant_no IN ({_listed((self.tenant_no, *self.deleted))})"
            " AND width = ? AND start >= ? AND start < ? GROUP BY tenant_no",
            (width, start, end),
        )
        return sum(int(net) if owner == self.tenant_no else -int(net) for owner, net in nets)

    def _spans(self, buckets: Buckets) -> Iterator[Span]:
        start, end, step = buckets.start_us, buckets.end_us, buckets.step_us
        for width_us, width in ((_HOUR_US, HOUR), (MINUTE_US, MINUTE)):
            if step % width_us == 0 and buckets.start_us % width_us == 0:
                whole = end // width_us * width_us
                yield from self._rollups(width, start, whole)
                start = max(start, whole)
        if step < 2 * MINUTE_US:
            yield from self._marks(start, end, buckets)
        else:
            yield from self._around_edges(start, buckets)

    def _around_edges(self, start: int, buckets: Buckets) -> Iterator[Span]:
        """Read whole minutes as rollups and only the minutes that hold an edge as marks."""
        edge, end = start, buckets.end_us
        while edge < end:
            following = min(edge + buckets.step_us, end)
            first_whole = -(-edge // MINUTE_US) * MINUTE_US
            last_whole = following // MINUTE_US * MINUTE_US
            if first_whole >= last_whole:
                yield from self._marks(edge, following, buckets)
            else:
                yield from self._marks(edge, first_whole, buckets)
                yield from self._rollups(MINUTE, first_whole, last_whole)
                yield from self._marks(last_whole, following, buckets)
            edge = following

    def _rollups(self, width: int, start_us: int, end_us: int) -> Iterator[Span]:
        if start_us >= end_us:
            return
        for start, net, known_peak, *sums in self.connection.execute(
            _WITHOUT_DELETED.format(_listed(self.deleted)) if self.deleted else _ROLLUPS,
            (self.tenant_no, width, start_us // MINUTE_US, end_us // MINUTE_US),
        ):
            peak = self.peak(width, start) if known_peak is None else known_peak
            rollup_us = start * MINUTE_US
            yield Span(rollup_us, rollup_us + width * MINUTE_US, tuple(sums), net, peak)

    def peak(self, width: int, start: int) -> int:
        """Compute the peak of a rollup, relative to the number of active calls before it."""
        start_us = start * MINUTE_US
        if width == HOUR:
            return joined_peak(start_us, self._rollups(MINUTE, start_us, start_us + _HOUR_US))
        return relative_peak(
            start_us,
            self.connection.execute(
                "SELECT us, sum(amount) FROM live_marks"
                f" WHERE us >= ? AND us < ? AND {_IS_START_OR_END} {self._and_tenant()}"
                " GROUP BY us ORDER BY us",
                (start_us, start_us + MINUTE_US),
            ),
        )

    def _marks(self, start_us: int, end_us: int, buckets: Buckets) -> Iterator[Span]:
        """Read single instants, as one span for each bucket in which anything happened.

        SQLite computes the sums: other threads run meanwhile. A loop in Python would block them.
        """
        if start_us >= end_us:
            return
        grid = (buckets.start_us, buckets.step_us)
        amounts: dict[int, list[tuple[Counter, int]]] = defaultdict(list)
        first_us: dict[int, int] = {}
        for bucket, kind, number, amount, us in self.connection.execute(
            "SELECT (us - ?) / ? AS bucket, kind, count(*), sum(amount), min(us) FROM live_marks"
            f" WHERE us >= ? AND us < ? {self._and_tenant()} GROUP BY bucket, kind",
            (*grid, start_us, end_us),
        ):
            amounts[bucket] += counted_as(Counter(kind), number, amount)
            first_us[bucket] = min(us, first_us.get(bucket, us))
        active = {
            bucket: (first, last, net, peak)
            for bucket, first, last, net, peak in self.connection.execute(
                "SELECT (us - ?) / ? AS bucket, min(us), max(us), sum(net), max(active)"
                " FROM (SELECT us, net, sum(net) OVER (ORDER BY us) AS active"
                "       FROM (SELECT us, sum(amount) AS net FROM live_marks"
                f"             WHERE us >= ? AND us < ? AND {_IS_START_OR_END}"
                f"             {self._and_tenant()} GROUP BY us))"
                " GROUP BY bucket",
                (*grid, start_us, end_us),
            )
        }
        before = 0
        for bucket in sorted(amounts):
            us = first_us[bucket]
            first, last, net, peak = active.get(bucket, (us, us, 0, before))
            yield Span(first, last + 1, counters(amounts[bucket]), net, peak - before)
            before += net

    def _and_tenant(self) -> str:
        if self.tenant_no != ALL_TENANTS:
            return f"AND tenant_no = {self.tenant_no:d}"
        return f"AND tenant_no NOT IN ({_listed(self.deleted)})" if self.deleted else ""


def counted_as(kind: Counter, number: int, amount: int) -> list[tuple[Counter, int]]:
    """Return what marks of a kind count as, by how many they are and the sum of their amounts."""
    if kind is Counter.MINUTES:
        return [(kind, amount)]
    return [(counted, number) for counted in COUNTS_AS[kind]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputedPeak:
    """The peak of a rollup as it was after `changes` changes."""

    tenant_no: int
    width: int
    start: int
    changes: int
    peak: int


def compute_missing_peaks(
    connection: sqlite3.Connection, width: int, before: int, limit: int
) -> list[ComputedPeak]:
    """Compute peaks that are missing in rollups of `width` that ended before minute `before`."""
    deleted = deleted_tenants(connection)
    missing = connection.execute(
        "SELECT tenant_no, start, changes FROM live_cells"
        " WHERE peak IS NULL AND width = ? AND start <= ?"
        f" AND tenant_no NOT IN ({_listed(deleted)}) ORDER BY start, tenant_no LIMIT ?",
        (width, before - width, limit),
    ).fetchall()
    if width == HOUR:
        return [
            ComputedPeak(
                tenant_no=tenant_no,
                width=width,
                start=start,
                changes=changes,
                peak=HistoryReader.of(connection, tenant_no).peak(width, start),
            )
            for tenant_no, start, changes in missing
        ]
    found = []
    by_minute = defaultdict(list)
    for tenant_no, start, changes in missing:
        by_minute[start].append((tenant_no, changes))
    for start, rollups in by_minute.items():
        # All tenants of a minute in one pass over its marks.
        changes_by_tenant = _changes(connection, start, deleted)
        for tenant_no, changes in rollups:
            peak = relative_peak(start * MINUTE_US, changes_by_tenant[tenant_no].items())
            found.append(
                ComputedPeak(
                    tenant_no=tenant_no, width=width, start=start, changes=changes, peak=peak
                )
            )
    return found


def _changes(
    connection: sqlite3.Connection, minute: int, deleted: Sequence[int]
) -> dict[int, dict[int, int]]:
    changes: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for us, tenant_no, amount in connection.execute(
        "SELECT us, tenant_no, amount FROM live_marks"
        f" WHERE us >= ? AND us < ? AND {_IS_START_OR_END}"
        f" AND tenant_no NOT IN ({_listed(deleted)}) ORDER BY us",
        (minute * MINUTE_US, (minute + 1) * MINUTE_US),
    ):
        changes[tenant_no][us] += amount
        changes[ALL_TENANTS][us] += amount
    return changes


def store_peaks(connection: sqlite3.Connection, peaks: list[ComputedPeak]) -> None:
    """Store peaks, except of rollups that changed since they were computed."""
    connection.executemany(
        "UPDATE live_cells SET peak = ? WHERE tenant_no = ? AND width = ? AND start = ?"
        " AND changes = ?",
        [(each.peak, each.tenant_no, each.width, each.start, each.changes) for each in peaks],
    )
