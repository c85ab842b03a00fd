"""One write: loads the calls that events name, folds, and writes the changes in one transaction.

A job works on copies and merges them into the writer's state at its end, when nothing of it can
fail any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vumeter_server.errors import PermissionDenied
from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.counters import ZERO, minus
from vumeter_server.live_metrics.fold import (
    Change,
    Folded,
    change_history,
    event_mark,
    fold_closings,
    fold_events,
    needs_stored_reports,
    new_events,
)
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType
from vumeter_server.live_metrics.sqlite import deletion, rows
from vumeter_server.live_metrics.sqlite.state import NumberedCall, WriterState
from vumeter_server.live_metrics.sqlite.timeline import HistoryWriter
from vumeter_server.sqlite.library import sqlite3


@dataclass(slots=True, eq=False)
class WriteBatch:
    """One job's work in a transaction; `change` is what it will have changed once committed."""

    state: WriterState
    connection: sqlite3.Connection
    received_us: int
    change: Change = field(default_factory=Change)
    _deleted: tuple[str, int] | None = None
    """The id and the number of a tenant that was deleted."""
    _next_event: int = 0
    _next_call: int = 0
    _next_tenant: int = 0
    _tenants: dict[str, int] = field(default_factory=dict)
    _calls: dict[str, NumberedCall] = field(default_factory=dict)
    """The calls that were changed, those whose last event was received last at the end."""

    def __post_init__(self) -> None:
        self._next_event = self.state.next_event
        self._next_call = self.state.next_call
        self._next_tenant = self.state.next_tenant

    def record(self, events: Sequence[Event], only_tenant: str | None) -> None:
        """Record events, except those that were received before.

        Raises Conflict if an id was used before with other content, PermissionDenied if a call
        belongs to another tenant than the only one allowed. Nothing may be merged then.
        """
        if self.state.deleting:
            deletion.free_ids(self.connection, events, self.state.deleting)
        known = self._load_calls(events)
        if only_tenant is not None and any(
            each.call.tenant_id != only_tenant for each in known.values()
        ):
            raise PermissionDenied
        numbers = {call_id: each.call_no for call_id, each in known.items()}
        for event in events:
            if event.call_id is not None and event.call_id not in numbers:
                numbers[event.call_id] = self._next_call
                self._next_call += 1
        first = self._next_event
        new = self._insert_events(events, numbers)
        folded = fold_events(
            events if new is None else [events[index] for index in new],
            {call_id: each.call for call_id, each in known.items()},
            epoch=self.state.epoch,
            received_us=self.received_us,
            counted_from_us=self.state.counted_from_us,
        )
        history = HistoryWriter()
        if folded.without_call:
            for index in range(len(events)) if new is None else new:
                event = events[index]
                if event.call_id is None:
                    # An event without a call is marked under minus its number.
                    number, tenant_no = -(first + index), self.tenant_no(event.tenant_id)
                    history.add(number, tenant_no, [event_mark(event)])
        self._write(folded, numbers, history)

    def close(self, calls: Sequence[NumberedCall], now_us: int) -> None:
        """Close listed calls of which no event was received for too long."""
        folded = fold_closings(
            [each.call for each in calls],
            epoch=self.state.epoch,
            now_us=now_us,
            counted_from_us=self.state.counted_from_us,
        )
        numbers = {each.call.call_id: each.call_no for each in calls}
        self.connection.executemany(
            rows.INSERT_EVENT,
            [
                (
                    *(self._event_no(), None, int(EventType.CLOSED), numbers[call_id]),
                    self.tenant_no(folded.calls[call_id].after.tenant_id),
                    *(now_us, now_us, None, int(CallOutcome.TIMED_OUT), None, None),
                )
                for call_id in folded.closed
            ],
        )
        self._write(folded, numbers, HistoryWriter())

    def delete_tenant(self, number: int, tenant_id: str) -> None:
        """Apply the deletion of that number."""
        tenant_no = self.state.tenant_numbers.get(tenant_id)
        if tenant_no is None:
            deletion.set_done(self.connection, number, self.received_us)
            return
        now = self.state.as_change(self.connection)
        deletion.apply(self.connection, number, tenant_no)
        self.change = Change(
            listings={
                call_id: None
                for call_id, listing in now.listings.items()
                if listing is not None and listing.tenant_id == tenant_id
            },
            totals={
                each: minus(ZERO, totals)
                for each, totals in now.totals.items()
                if each == tenant_id
            },
            limits={tenant_id: None},
        )
        self._deleted = (tenant_id, tenant_no)

    def merge(self) -> None:
        """Make what was written part of the writer's state; nothing of the job may fail after."""
        state = self.state
        state.next_event, state.next_call = self._next_event, self._next_call
        state.next_tenant = self._next_tenant
        for tenant_id, number in self._tenants.items():
            state.tenant_numbers[tenant_id] = number
            state.tenant_ids[number] = tenant_id
        if self._deleted is not None:
            tenant_id, number = self._deleted
            del state.tenant_numbers[tenant_id], state.tenant_ids[number]
            state.deleting.add(number)
            for call_id in self.change.listings:
                del state.listed[call_id]
        for call_id, numbered in self._calls.items():
            # Removed and added again, so that the calls whose events came last are the last ones.
            state.listed.pop(call_id, None)
            if numbered.call.stage is not CallStage.UNLISTED:
                state.listed[call_id] = numbered

    def tenant_no(self, tenant_id: str) -> int:
        """Return a tenant's number, a new one if it is not known."""
        number = self.state.tenant_numbers.get(tenant_id) or self._tenants.get(tenant_id)
        if number is None:
            number = self._tenants[tenant_id] = self._next_tenant
            self._next_tenant += 1
        return number

    def _event_no(self) -> int:
        self._next_event += 1
        return self._next_event - 1

    def _load_calls(self, events: Iterable[Event]) -> dict[str, NumberedCall]:
        """Return the known calls among those that `events` name, by id."""
        listed = self.state.listed
        known = {}
        missing = set()
        for call_id in {event.call_id for event in events if event.call_id is not None}:
            numbered = listed.get(call_id)
            if numbered is not None:
                known[call_id] = numbered
            else:
                missing.add(call_id)
        if missing:
            for row in rows.select_calls(self.connection, missing):
                call = rows.read_call(row, self.state.tenant_ids[row[2]])
                known[call.call_id] = NumberedCall(row[0], call)
        return known

    def _insert_events(self, events: Sequence[Event], numbers: dict[str, int]) -> list[int] | None:
        """Insert the events that are new, and return their indices, None if all of them are."""
        first = self._next_event
        tenant_no, received_us = self.tenant_no, self.received_us
        parameters = [
            (
                event_no,
                event.event_id,
                int(event.type),
                numbers[event.call_id] if event.call_id is not None else None,
                tenant_no(event.tenant_id),
                event.occurred_us,
                received_us,
                event.reason,
                event.outcome,
                event.minutes,
                event.sequence,
            )
            for event_no, event in enumerate(events, first)
        ]
        self._next_event += len(events)
        inserted = self.connection.executemany(rows.INSERT_EVENT, parameters).rowcount
        if inserted == len(events):
            return None
        event_ids = [event.event_id for event in events]
        stored = rows.select_events(self.connection, event_ids, first, self.state.tenant_ids)
        return new_events(events, stored)

    def _write(self, folded: Folded, numbers: dict[str, int], history: HistoryWriter) -> None:
        connection, tenant_no = self.connection, self.tenant_no
        late = [numbers[each] for each, one in folded.calls.items() if needs_stored_reports(one)]
        reports = rows.select_reports(connection, late) if late else {}
        written, removed_reports, added_reports = [], [], []
        for call_id, change in folded.calls.items():
            before, after, _ = change
            number = numbers[call_id]
            now = change_history(change, reports.get(number, ()))
            if before is not None and now.removed:
                history.remove(number, tenant_no(before.tenant_id), now.removed)
            owner = tenant_no(after.tenant_id)
            history.add(number, owner, now.added)
            removed_reports += [(number, report.us) for report in now.removed_reports]
            added_reports += [(number, *report) for report in now.added_reports]
            written.append(rows.call_parameters(number, owner, after))
            self._calls[call_id] = NumberedCall(number, after)
        # A total refers to its tenant's row.
        connection.executemany(
            rows.UPSERT_TENANT,
            [
                (tenant_no(tenant_id), tenant_id, occurred_us, self.received_us)
                for tenant_id, occurred_us in folded.last_occurred_us.items()
            ],
        )
        connection.executemany(rows.UPSERT_CALL, written)
        # A report may be replaced by another one of the same instant.
        connection.executemany(rows.DELETE_REPORT, removed_reports)
        connection.executemany(rows.INSERT_REPORT, added_reports)
        connection.executemany(
            rows.ADD_TO_TOTALS,
            [
                (self.state.epoch, tenant_no(tenant_id), *added)
                for tenant_id, added in folded.change.totals.items()
            ],
        )
        history.write(connection)
        self.change = folded.change
