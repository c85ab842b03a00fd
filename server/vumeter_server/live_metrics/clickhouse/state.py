"""What each server holds in memory of the log: lists of calls, tenants, totals.

It is what the rows of all entries up to `seq` say together. Each row says how something is, not how
it changed: so it does no harm to apply one again, or to see later ones only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, TypeVar

from vumeter_server.live_metrics.clickhouse.rows import (
    EpochRecord,
    HeldRow,
    KnownCall,
    LiveRowKind,
    TenantRecord,
)
from vumeter_server.live_metrics.counters import ZERO, Counters, minus
from vumeter_server.live_metrics.fold import Change, Listing, listing

T = TypeVar("T")

NO_EPOCH: Final = EpochRecord(number=0, id="", counted_from_us=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Visibility:
    """Which rows do not count, though they are still in the table.

    Those of deleted tenants, by id, up to an entry; what was received before a time, of entries
    before another.
    """

    deleted: Mapping[str, int] = field(default_factory=dict)
    dropped_before_us: int = 0
    dropped_at: int = 0

    def counts_event(self, tenant_id: str, received_us: int, seq: int) -> bool:
        """Whether an event counts, as far as this says."""
        if received_us < self.dropped_before_us and seq < self.dropped_at:
            return False
        return self.deleted.get(tenant_id, 0) < seq


@dataclass(slots=True, eq=False)
class LiveState:
    """See the module."""

    seq: int = 0
    listed: dict[str, KnownCall] = field(default_factory=dict)
    """Calls in a list, those whose last event was received longest ago first."""
    tenants: dict[str, TenantRecord] = field(default_factory=dict)
    totals: dict[str, Counters] = field(default_factory=dict)
    epoch: EpochRecord = NO_EPOCH
    visibility: Visibility = field(default_factory=Visibility)

    def as_change(self) -> Change:
        """Return everything that is live as one change from nothing."""
        return Change(
            listings={call_id: listing(known.call) for call_id, known in self.listed.items()},
            totals=dict(self.totals),
            limits={
                tenant_id: tenant.max_concurrent_calls
                for tenant_id, tenant in self.tenants.items()
                if tenant.max_concurrent_calls is not None
            },
        )

    def apply(self, rows: Iterable[HeldRow], seq: int) -> Change:
        """Apply the rows of the entries up to `seq`, in their order; return what they changed."""
        listings: dict[str, Listing | None] = {}
        limits: dict[str, int | None] = {}
        totals: dict[str, HeldRow] = {}
        totals_before: dict[str, Counters] = {}
        for row in rows:
            match row.kind:
                case LiveRowKind.CALL | LiveRowKind.GONE_CALL:
                    self._apply_call(row, listings)
                case LiveRowKind.TENANT:
                    self._apply_tenant(row, limits)
                case LiveRowKind.TOTALS if row.at >= self.epoch.number:
                    totals[row.name] = row
                case LiveRowKind.EPOCH if row.value.number != self.epoch.number:
                    self.epoch = row.value
                    totals_before |= self.totals
                    self.totals.clear()
                case LiveRowKind.RETENTION | LiveRowKind.DELETION:
                    self._apply_visibility(row)
        for tenant_id, row in totals.items():
            # Of an epoch that began in a later entry nothing is known before that is read.
            if row.at != self.epoch.number:
                continue
            totals_before.setdefault(tenant_id, self.totals.get(tenant_id, ZERO))
            if row.value is None:
                self.totals.pop(tenant_id, None)
            else:
                # An earlier version may have had fewer counters.
                self.totals[tenant_id] = (*row.value, *ZERO[len(row.value) :])
        self.seq = max(self.seq, seq)
        return Change(
            listings=listings,
            totals={
                tenant_id: minus(self.totals.get(tenant_id, ZERO), before)
                for tenant_id, before in totals_before.items()
                if self.totals.get(tenant_id, ZERO) != before
            },
            limits=limits,
        )

    def misses_some_of(self, rows: Iterable[HeldRow]) -> bool:
        """Whether rows that were not read before do not say everything that is gone."""
        return any(row.kind is LiveRowKind.REMOVAL and row.value > self.seq for row in rows)

    def replace(self, rows: Iterable[HeldRow], seq: int) -> Change:
        """Hold what all rows up to an entry say, and nothing else; return what that changes."""
        before = self.as_change()
        now = LiveState()
        now.apply(rows, seq)
        for each in fields(self):
            setattr(self, each.name, getattr(now, each.name))
        return _difference(before, self.as_change())

    def _apply_call(self, row: HeldRow, listings: dict[str, Listing | None]) -> None:
        known = self.listed.get(row.name)
        if row.kind is LiveRowKind.GONE_CALL:
            if known is not None and known.call_no == row.at:
                del self.listed[row.name]
                listings[row.name] = None
            return
        if known is not None:
            # Removed and added again, so that the calls whose events came last are the last ones.
            del self.listed[row.name]
        now = listing(row.value)
        if now is not None:
            self.listed[row.name] = KnownCall(row.at, row.value)
        if now != (None if known is None else listing(known.call)):
            listings[row.name] = now

    def _apply_tenant(self, row: HeldRow, limits: dict[str, int | None]) -> None:
        known = self.tenants.get(row.name, TenantRecord())
        if row.value is None:
            self.tenants.pop(row.name, None)
        else:
            self.tenants[row.name] = row.value
        now = None if row.value is None else row.value.max_concurrent_calls
        if now != known.max_concurrent_calls:
            limits[row.name] = now

    def _apply_visibility(self, row: HeldRow) -> None:
        before = self.visibility
        deleted = dict(before.deleted)
        dropped = before.dropped_before_us, before.dropped_at
        if row.kind is LiveRowKind.RETENTION:
            dropped = row.value, row.seq
        elif row.value is None:
            deleted.pop(row.name, None)
        else:
            deleted[row.name] = row.seq
        self.visibility = Visibility(
            deleted=deleted, dropped_before_us=dropped[0], dropped_at=dropped[1]
        )


def _difference(before: Change, now: Change) -> Change:
    """Return what has to change so that live is what `now` says, and no more what `before` does."""
    return Change(
        listings=_changed(before.listings, now.listings),
        totals={
            tenant_id: minus(now.totals.get(tenant_id, ZERO), before.totals.get(tenant_id, ZERO))
            for tenant_id in _changed(before.totals, now.totals)
        },
        limits=_changed(before.limits, now.limits),
    )


def _changed(before: Mapping[str, T | None], now: Mapping[str, T | None]) -> dict[str, T | None]:
    return {key: now.get(key) for key in {**before, **now} if before.get(key) != now.get(key)}
