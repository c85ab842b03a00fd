"""Booking: how a batch of events, or the closing of calls, changes what is kept.

A job works on copies and merges them into the ledger at its end, when nothing of it can fail any
more.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vumeter_server.errors import Conflict, Violation
from vumeter_server.live_metrics.counters import ZERO, Counters, Kind, counters, minus, plus
from vumeter_server.live_metrics.fold import Call, State, new_call
from vumeter_server.live_metrics.live_view import Change, Listing
from vumeter_server.live_metrics.marks import Mark, Report, marks, raising, report_marks
from vumeter_server.live_metrics.model import Event, EventType
from vumeter_server.live_metrics.sqlite import rows
from vumeter_server.live_metrics.sqlite.state import Known, Ledger, listing
from vumeter_server.live_metrics.sqlite.timeline import Timeline
from vumeter_server.sqlite.library import sqlite3

WITHOUT_CALL = {
    EventType.INSTRUCTIONS_DB_ERROR: Kind.INSTRUCTIONS_DB_ERROR,
    EventType.FALLBACK_INSTRUCTIONS_USED: Kind.FALLBACK_INSTRUCTIONS_USED,
}


@dataclass(slots=True, eq=False)
class Booking:
    """One job's work on the ledger."""

    ledger: Ledger
    connection: sqlite3.Connection
    received_us: int
    _next_event: int = 0
    _next_call: int = 0
    _next_tenant: int = 0
    _tenants: dict[str, int] = field(default_factory=dict)
    _tenants_heard: dict[str, int] = field(default_factory=dict)
    _calls: dict[str, Known] = field(default_factory=dict)
    _before: dict[str, Call | None] = field(default_factory=dict)
    _reports: dict[str, list[Report]] = field(default_factory=dict)
    _totals: dict[str, Counters] = field(default_factory=dict)
    _listings: dict[str, Listing | None] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)

    def __post_init__(self) -> None:
        self._next_event = self.ledger.next_event
        self._next_call = self.ledger.next_call
        self._next_tenant = self.ledger.next_tenant

    def record(self, events: Sequence[Event]) -> Change:
        """Book events; those that were received before are passed over.

        Raises Conflict if an id was used before with other content. Nothing is merged then.
        """
        self._find_calls(events)
        for event_no, event in self._store(events):
            self._take_in(event_no, event)
        return self._settle()

    def close(self, calls: Iterable[Known], now_us: int) -> Change:
        """Close calls of which nothing was heard for too long."""
        stored = []
        for known in calls:
            call = self._touch(known)
            was_accepted = call.is_accepted
            call.close(now_us, self.ledger.launch)
            if was_accepted:
                tenant_no = self.tenant(call.tenant_id)
                stored.append(
                    (
                        *(self._number(), None, int(EventType.CLOSED), known.call_no, tenant_no),
                        *(now_us, now_us, None, None, None),
                    )
                )
        self.connection.executemany(rows.INSERT_EVENT, stored)
        return self._settle()

    def merge(self) -> None:
        """Make what was booked the ledger's; nothing may fail after this."""
        ledger = self.ledger
        ledger.next_event, ledger.next_call = self._next_event, self._next_call
        ledger.next_tenant = self._next_tenant
        for tenant_id, number in self._tenants.items():
            ledger.tenant_numbers[tenant_id] = number
            ledger.tenant_ids[number] = tenant_id
        for call_id in self._before:
            known = self._calls[call_id]
            # Taken out and put back, so that the calls heard of last are the last ones.
            ledger.listed.pop(call_id, None)
            if known.call.state is not State.UNLISTED:
                ledger.listed[call_id] = known

    def _number(self) -> int:
        self._next_event += 1
        return self._next_event - 1

    def tenant(self, tenant_id: str) -> int:
        """Return a tenant's number, a new one if it is not known."""
        number = self.ledger.tenant_numbers.get(tenant_id) or self._tenants.get(tenant_id)
        if number is None:
            number = self._tenants[tenant_id] = self._next_tenant
            self._next_tenant += 1
        return number

    def _find_calls(self, events: Sequence[Event]) -> None:
        """Make every call that `events` name known; new ones get a number, but no events yet."""
        missing = set()
        for event in events:
            call_id = event.call_id
            if call_id is not None and call_id not in self._calls:
                listed = self.ledger.listed.get(call_id)
                if listed is not None:
                    self._calls[call_id] = listed
                else:
                    missing.add(call_id)
        if missing:
            for row in rows.select_calls(self.connection, missing):
                call = rows.read_call(row, self.ledger.tenant_ids[row[2]])
                self._calls[call.call_id] = Known(row[0], call)

    def _store(self, events: Sequence[Event]) -> Iterable[tuple[int, Event]]:
        """Insert events and return those that are new, with their numbers."""
        first = self._next_event
        numbers = self._call_numbers(events)
        parameters = [
            (
                self._number(),
                event.event_id,
                int(event.type),
                numbers.get(event.call_id) if event.call_id is not None else None,
                self.tenant(event.tenant_id),
                event.occurred_us,
                self.received_us,
                event.reason,
                event.outcome,
                event.minutes,
            )
            for event in events
        ]
        inserted = self.connection.executemany(rows.INSERT_EVENT, parameters).rowcount
        if inserted == len(events):
            return enumerate(events, first)
        return self._without_repeats(events, parameters, first)

    def _call_numbers(self, events: Sequence[Event]) -> Mapping[str, int]:
        numbers = {}
        for event in events:
            call_id = event.call_id
            if call_id is not None and call_id not in numbers:
                known = self._calls.get(call_id)
                if known is not None:
                    numbers[call_id] = known.call_no
                else:
                    numbers[call_id] = self._next_call
                    self._next_call += 1
                    call = new_call(event, self.ledger.launch, self.received_us)
                    self._calls[call_id] = Known(numbers[call_id], call)
        return numbers

    def _without_repeats(
        self, events: Sequence[Event], parameters: Sequence[tuple[object, ...]], first: int
    ) -> Iterable[tuple[int, Event]]:
        stored = {
            row[1]: row
            for row in self.connection.execute(
                "SELECT event_no, event_id, type, call_no, tenant_no, occurred_us, received_us,"
                " reason, outcome, minutes FROM live_events"
                " WHERE event_id IN (SELECT value FROM json_each(?))",
                (json.dumps([event.event_id for event in events]),),
            )
        }
        new = []
        for index, (event, sent) in enumerate(zip(events, parameters, strict=True)):
            row = stored[event.event_id]
            if row[2:6] != sent[2:6] or row[7:] != sent[7:]:
                raise Conflict(
                    violations=[
                        Violation(
                            field=f"events[{index}].event_id",
                            problem="was used before with other content",
                        )
                    ]
                )
            if row[0] == first + index:
                new.append((first + index, event))
        return new

    def _touch(self, known: Known) -> Call:
        """Return the job's own copy of a call, to be changed."""
        call_id = known.call.call_id
        if call_id not in self._before:
            is_new = known.call_no >= self.ledger.next_call
            self._before[call_id] = None if is_new else known.call
            self._calls[call_id] = Known(known.call_no, copy.copy(known.call))
        return self._calls[call_id].call

    def _take_in(self, event_no: int, event: Event) -> None:
        heard = self._tenants_heard
        heard[event.tenant_id] = max(heard.get(event.tenant_id, 0), event.occurred_us)
        if event.call_id is None:
            kind = WITHOUT_CALL[event.type]
            self._add(event.tenant_id, counters([(kind, 1)]))
            tenant_no = self.tenant(event.tenant_id)
            self.timeline.put(-event_no, tenant_no, [Mark(event.occurred_us, kind, 1)])
            return
        known = self._calls[event.call_id]
        self._touch(known).receive(event, self.ledger.launch, self.received_us)
        minutes_ms = event.minutes_ms
        if minutes_ms is not None:
            report = Report(event.occurred_us, minutes_ms)
            self._reports.setdefault(event.call_id, []).append(report)

    def _add(self, tenant_id: str, added: Counters) -> None:
        if added != ZERO:
            self._totals[tenant_id] = plus(self._totals.get(tenant_id, ZERO), added)

    def _settle(self) -> Change:
        """Write what the touched calls became, and return how the board changes."""
        launch = self.ledger.launch
        written = []
        for call_id, before in self._before.items():
            known = self._calls[call_id]
            after = known.call
            tenant_no = self.tenant(after.tenant_id)
            written.append(rows.call_parameters(known.call_no, tenant_no, after))
            self._mark(known, before, tenant_no)
            if before is None:
                self._add(after.tenant_id, after.totals(launch))
            elif before.tenant_id == after.tenant_id:
                self._add(after.tenant_id, minus(after.totals(launch), before.totals(launch)))
            else:
                self._add(before.tenant_id, minus(ZERO, before.totals(launch)))
                self._add(after.tenant_id, after.totals(launch))
            listed = listing(after)
            if listed != (None if before is None else listing(before)):
                self._listings[call_id] = listed
        connection = self.connection
        self._write_tenants()
        connection.executemany(rows.UPSERT_CALL, written)
        connection.executemany(
            rows.ADD_TO_TOTALS,
            [(launch, self.tenant(each), *added) for each, added in self._totals.items()],
        )
        self.timeline.write(connection)
        return Change(listings=self._listings, totals=self._totals)

    def _write_tenants(self) -> None:
        self.connection.executemany(
            rows.UPSERT_TENANT,
            [
                (self.tenant(tenant_id), tenant_id, occurred_us, self.received_us)
                for tenant_id, occurred_us in self._tenants_heard.items()
            ],
        )

    def _mark(self, known: Known, before: Call | None, tenant_no: int) -> None:
        """Book how a call's marks change."""
        after, call_no, timeline = known.call, known.call_no, self.timeline
        reports = self._reports.get(after.call_id, ())
        if before is None:
            timeline.put(call_no, tenant_no, marks(after))
            self._mark_reports(call_no, tenant_no, reports, None)
        elif before.tenant_id == after.tenant_id:
            old, new = marks(before), marks(after)
            timeline.take(call_no, tenant_no, old - new)
            timeline.put(call_no, tenant_no, new - old)
            last = before.reported_us, before.reported_ms
            self._mark_reports(call_no, tenant_no, reports, last)
        else:
            old_reports = stored_reports(self.connection, call_no)
            old_tenant_no = self.tenant(before.tenant_id)
            timeline.take(call_no, old_tenant_no, marks(before) | report_marks(old_reports))
            rising = raising([*old_reports, *reports])
            timeline.put(call_no, tenant_no, marks(after) | report_marks(rising))
            self._write_reports(call_no, old_reports, rising)

    def _mark_reports(
        self,
        call_no: int,
        tenant_no: int,
        reports: Sequence[Report],
        last: tuple[int | None, int | None] | None,
    ) -> None:
        if not reports:
            return
        old: list[Report] = []
        before_ms = 0
        if last is not None and last[0] is not None and last[1] is not None:
            if min(report.us for report in reports) > last[0]:
                # The usual case: later than all before, so that only the last total matters.
                before_ms = last[1]
                reports = [each for each in reports if each.minutes_ms > before_ms]
            else:
                old = stored_reports(self.connection, call_no)
        rising = raising([*old, *reports])
        was, now = report_marks(old), report_marks(rising, before_ms)
        self.timeline.take(call_no, tenant_no, was - now)
        self.timeline.put(call_no, tenant_no, now - was)
        self._write_reports(call_no, old, rising)

    def _write_reports(self, call_no: int, old: Sequence[Report], rising: Sequence[Report]) -> None:
        gone, come = set(old) - set(rising), set(rising) - set(old)
        self.connection.executemany(rows.DELETE_REPORT, [(call_no, report.us) for report in gone])
        self.connection.executemany(
            rows.INSERT_REPORT, [(call_no, report.us, report.minutes_ms) for report in come]
        )


def stored_reports(connection: sqlite3.Connection, call_no: int) -> list[Report]:
    """Return the reports that raised a call's minutes, in order of time."""
    return [
        Report(us, minutes_ms)
        for us, minutes_ms in connection.execute(
            "SELECT us, minutes_ms FROM live_reports WHERE call_no = ? ORDER BY us", (call_no,)
        )
    ]
