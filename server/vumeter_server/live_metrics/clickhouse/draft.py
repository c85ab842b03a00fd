"""What is about to be appended as one entry: one write after another, folded upon the state.

A write either raises, and has changed nothing of the draft, or is part of it as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vumeter_server.errors import PermissionDenied
from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.clickhouse.entry import LiveEntry, MarkRow
from vumeter_server.live_metrics.clickhouse.rows import (
    NEVER_US,
    ROWS_OF_ENTRY,
    EpochRecord,
    KnownCall,
    LiveRowKind,
    StoredEvent,
    TenantRecord,
)
from vumeter_server.live_metrics.clickhouse.state import LiveState
from vumeter_server.live_metrics.counters import ZERO, Counters, plus
from vumeter_server.live_metrics.fold import (
    CallChange,
    Folded,
    change_history,
    event_mark,
    fold_closings,
    fold_events,
    new_events,
)
from vumeter_server.live_metrics.marks import Mark, MinutesReport
from vumeter_server.live_metrics.model import Event


@dataclass(slots=True)
class FoundIds:
    """What the table holds of what writes name: events, calls in no list, reports of calls."""

    events: dict[str, Event] = field(default_factory=dict)
    calls: dict[str, KnownCall] = field(default_factory=dict)
    reports: dict[int, list[MinutesReport]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class LiveDraft:
    """See the module. The state and what was found are not changed."""

    state: LiveState
    found: FoundIds
    rows: LiveEntry
    _events: dict[str, Event] = field(default_factory=dict)
    _calls: dict[str, KnownCall] = field(default_factory=dict)
    _reports: dict[int, list[MinutesReport]] = field(default_factory=dict)
    _new_calls: int = 0

    @classmethod
    def upon(cls, state: LiveState, found: FoundIds) -> LiveDraft:
        """Return an empty draft of the entry behind the last one of a state."""
        return cls(state, found, LiveEntry(seq=state.seq + 1))

    def record(self, events: Sequence[Event], only_tenant: str | None, received_us: int) -> None:
        """Record events, except those that were received before.

        Raises Conflict and PermissionDenied, as the contract says.
        """
        named = {event.call_id for event in events if event.call_id is not None}
        known = {call_id: call for call_id in named if (call := self._call(call_id)) is not None}
        if only_tenant is not None and any(
            each.call.tenant_id != only_tenant for each in known.values()
        ):
            raise PermissionDenied
        stored = {
            event.event_id: earlier
            for event in events
            if (earlier := self._event(event.event_id)) is not None
        }
        new = [events[index] for index in new_events(events, stored)]
        epoch = self.state.epoch
        folded = fold_events(
            new,
            {call_id: each.call for call_id, each in known.items()},
            epoch=epoch.number,
            received_us=received_us,
            counted_from_us=epoch.counted_from_us,
        )
        numbers = {call_id: each.call_no for call_id, each in known.items()}
        for event in new:
            if event.call_id is not None and event.call_id not in numbers:
                self._new_calls += 1
                numbers[event.call_id] = self.rows.seq * ROWS_OF_ENTRY + self._new_calls
        for event in new:
            self._events[event.event_id] = event
            call_no = 0 if event.call_id is None else numbers[event.call_id]
            place = self.rows.seq * ROWS_OF_ENTRY + len(self.rows.events)
            row = StoredEvent(event, call_no, received_us, self.rows.seq, place)
            self.rows.events.append(row)
        self.rows.marks += [
            MarkRow(event.tenant_id, 0, 1, received_us, event_mark(event))
            for event in folded.without_call
        ]
        self._write(folded, numbers)
        for tenant_id, occurred_us in folded.last_occurred_us.items():
            tenant = self.tenant(tenant_id) or TenantRecord()
            self._set_tenant(
                tenant_id,
                TenantRecord(
                    last_occurred_us=max(occurred_us, tenant.last_occurred_us or occurred_us),
                    last_received_us=received_us,
                    max_concurrent_calls=tenant.max_concurrent_calls,
                ),
            )

    def close(self, calls: Iterable[KnownCall], now_us: int) -> None:
        """Close listed calls of which no event was received for too long."""
        known = list(calls)
        folded = fold_closings(
            [each.call for each in known],
            epoch=self.state.epoch.number,
            now_us=now_us,
            counted_from_us=self.state.epoch.counted_from_us,
        )
        self._write(folded, {each.call.call_id: each.call_no for each in known})

    def listed(self) -> Iterable[KnownCall]:
        """Return calls that may be in a list, the longest quiet ones of the state first."""
        for call_id, known in self.state.listed.items():
            yield self._calls.get(call_id, known)

    def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> TenantRecord:
        """Set or remove the limit of a tenant, known or new."""
        tenant = self.tenant(tenant_id) or TenantRecord()
        changed = TenantRecord(
            last_occurred_us=tenant.last_occurred_us,
            last_received_us=tenant.last_received_us,
            max_concurrent_calls=max_concurrent_calls,
        )
        self._set_tenant(tenant_id, changed)
        return changed

    def tenant(self, tenant_id: str) -> TenantRecord | None:
        """Return a tenant, None if it is not known."""
        drafted = self.rows.held.get((LiveRowKind.TENANT, tenant_id, 0))
        if drafted is not None:
            tenant: TenantRecord | None = drafted.value
            return tenant
        return self.state.tenants.get(tenant_id)

    def delete_tenant(self, tenant_id: str, calls: Mapping[str, int]) -> None:
        """Take a tenant from sight, with its calls by number; nothing else is in the draft."""
        self.rows.hold(LiveRowKind.DELETION, tenant_id, 0, 1)
        self.rows.hold(LiveRowKind.TENANT, tenant_id, 0, None)
        self.rows.hold(LiveRowKind.TOTALS, tenant_id, self.state.epoch.number, None)
        self.forget_calls(calls.items())

    def finish_deletion(self, tenant_id: str) -> None:
        """Say that no row of a deleted tenant is left."""
        self.rows.hold(LiveRowKind.DELETION, tenant_id, 0, None)

    def forget_calls(self, calls: Iterable[tuple[str, int]]) -> None:
        """Take calls from sight; none of them was changed in the draft."""
        for call_id, call_no in calls:
            self.rows.hold(LiveRowKind.GONE_CALL, call_id, call_no, None)

    def drop_received_before(self, before_us: int) -> None:
        """Take events from sight that were received before `before_us`."""
        self.rows.hold(LiveRowKind.RETENTION, "", 0, before_us)

    def remove_what_is_gone(self, through: int) -> None:
        """Say that rows of entries up to `through` that said what is gone are about to go."""
        self.rows.hold(LiveRowKind.REMOVAL, "", 0, through)

    def start_epoch(self, epoch_id: str, counted_from_us: int) -> None:
        """Begin a new epoch; nothing else is in the draft."""
        record = EpochRecord(
            number=self.state.epoch.number + 1, id=epoch_id, counted_from_us=counted_from_us
        )
        self.rows.hold(LiveRowKind.EPOCH, "", 0, record)

    def _event(self, event_id: str) -> Event | None:
        return self._events.get(event_id) or self.found.events.get(event_id)

    def _call(self, call_id: str) -> KnownCall | None:
        return (
            self._calls.get(call_id)
            or self.state.listed.get(call_id)
            or self.found.calls.get(call_id)
        )

    def _set_tenant(self, tenant_id: str, tenant: TenantRecord) -> None:
        self.rows.hold(LiveRowKind.TENANT, tenant_id, 0, tenant)

    def _write(self, folded: Folded, numbers: Mapping[str, int]) -> None:
        for call_id, change in folded.calls.items():
            self._write_call(call_id, numbers[call_id], change)
        for tenant_id, added in folded.change.totals.items():
            totals = plus(self._totals(tenant_id), added)
            self.rows.hold(LiveRowKind.TOTALS, tenant_id, self.state.epoch.number, totals)

    def _write_call(self, call_id: str, call_no: int, change: CallChange) -> None:
        reports = self._reports.get(call_no)
        if reports is None:
            reports = self.found.reports.get(call_no, [])
        now = change_history(change, reports)
        if change.before is not None:
            self._mark(change.before, call_no, -1, now.removed)
        self._mark(change.after, call_no, 1, now.added)
        self.rows.take_back(call_id, call_no, list(now.removed_reports))
        self.rows.report(call_id, call_no, list(now.added_reports))
        left = [each for each in reports if each not in now.removed_reports]
        self._reports[call_no] = sorted([*left, *now.added_reports])
        self._calls[call_id] = KnownCall(call_no, change.after)
        self.rows.hold(LiveRowKind.CALL, call_id, call_no, change.after)

    def _mark(self, call: CallState, call_no: int, sign: int, marks: Iterable[Mark]) -> None:
        self.rows.marks += [
            MarkRow(call.tenant_id, call_no, sign, NEVER_US, mark) for mark in marks
        ]

    def _totals(self, tenant_id: str) -> Counters:
        key = (LiveRowKind.TOTALS, tenant_id, self.state.epoch.number)
        drafted = self.rows.held.get(key)
        if drafted is not None:
            totals: Counters = drafted.value
            return totals
        return self.state.totals.get(tenant_id, ZERO)
