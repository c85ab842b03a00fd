"""The fold: received events and the known states of their calls become changes.

Every rule of what an event changes is here and in `call_state` and `marks`. Nothing here reads a
clock or a database, so every storage engine uses it as it is: it finds out which events are new
(`new_events`), loads the calls that they name, folds (`fold_events`, `fold_closings`), loads the
stored reports of the calls that need them (`needs_stored_reports`), derives how history changes
(`change_history`), and writes all of it in one transaction.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from vumeter_server.errors import Conflict, Violation
from vumeter_server.live_metrics.call_state import CallStage, CallState, new_call
from vumeter_server.live_metrics.counters import (
    WITHOUT_CALL,
    ZERO,
    Counters,
    counters,
    minus,
    plus,
)
from vumeter_server.live_metrics.marks import Mark, MinutesReport, marks, raising, report_marks
from vumeter_server.live_metrics.model import Event


class Listing(NamedTuple):
    """Where a call is listed."""

    tenant_id: str
    stage: CallStage


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How one commit changes what is live.

    `listings` are new values by call id (None: in no list), `limits` new values by tenant id (None:
    no limit), `totals` differences by tenant id, for the current service start (epoch).
    """

    listings: Mapping[str, Listing | None] = field(default_factory=dict)
    totals: Mapping[str, Counters] = field(default_factory=dict)
    limits: Mapping[str, int | None] = field(default_factory=dict)


class CallChange(NamedTuple):
    """How a call changes: `before` is None for a new call, `reports` are of the new events."""

    before: CallState | None
    after: CallState
    reports: list[MinutesReport]


@dataclass(frozen=True, kw_only=True, slots=True)
class Folded:
    """What a batch of new events changes, or the closing of calls."""

    calls: Mapping[str, CallChange]
    """By call id. Calls whose last event was received longer ago come first."""
    without_call: Sequence[Event] = ()
    """The events that belong to no call; `event_mark` says where each counts in history."""
    closed: Sequence[str] = ()
    """The calls that the server ended; each counts as an event of type CLOSED."""
    last_occurred_us: Mapping[str, int] = field(default_factory=dict)
    """The latest `occurred_us` of the batch by tenant id, for all tenants that sent events."""
    change: Change


class HistoryChange(NamedTuple):
    """How a call's part in history changes."""

    removed: Set[Mark]
    """Of the tenant that the call had before."""
    added: Set[Mark]
    """Of the tenant that it has now."""
    removed_reports: Set[MinutesReport]
    added_reports: Set[MinutesReport]


def new_events(events: Sequence[Event], stored: Mapping[str, Event]) -> list[int]:
    """Return the indices of the events that were not received before, in order.

    `stored` holds, by event id, the events received before this batch. A repeat may also stand in
    the same batch. Raises Conflict, naming the first event in question, if its id was used before
    with other content.
    """
    known = dict(stored)
    new = []
    for index, event in enumerate(events):
        earlier = known.get(event.event_id)
        if earlier is None:
            known[event.event_id] = event
            new.append(index)
        elif earlier != event:
            violation = Violation(
                field=f"events[{index}].event_id", problem="was used before with other content"
            )
            raise Conflict(violations=[violation])
    return new


def fold_events(
    events: Iterable[Event],
    calls: Mapping[str, CallState],
    *,
    epoch: int,
    received_us: int,
    counted_from_us: int = 0,
) -> Folded:
    """Fold events, none of which was received before.

    `calls` are the known ones of the calls that the events name, by id; they are not changed. What
    occurred before `counted_from_us` is in no total.
    """
    changes: dict[str, CallChange] = {}
    without_call: list[Event] = []
    totals: dict[str, Counters] = {}
    last_occurred_us: dict[str, int] = {}
    for event in events:
        tenant_id, call_id, occurred_us = event.tenant_id, event.call_id, event.occurred_us
        if occurred_us >= last_occurred_us.get(tenant_id, 0):
            last_occurred_us[tenant_id] = occurred_us
        if call_id is None:
            without_call.append(event)
            if occurred_us >= counted_from_us:
                _add(totals, tenant_id, counters([(WITHOUT_CALL[event.type], 1)]))
            continue
        change = changes.get(call_id)
        if change is None:
            before = calls.get(call_id)
            after = new_call(event, epoch, received_us) if before is None else copy.copy(before)
            change = changes[call_id] = CallChange(before, after, [])
        change.after.receive(event, epoch, received_us)
        minutes_ms = event.minutes_ms
        if minutes_ms is not None:
            change.reports.append(MinutesReport(occurred_us, minutes_ms))
    return Folded(
        calls=changes,
        without_call=without_call,
        last_occurred_us=last_occurred_us,
        change=_change(changes.values(), totals, epoch, counted_from_us),
    )


def fold_closings(
    calls: Iterable[CallState], *, epoch: int, now_us: int, counted_from_us: int = 0
) -> Folded:
    """End listed calls of which no event was received for too long; `calls` are not changed.

    An accepted or active call times out at `now_us`. A pending one leaves its list until an event
    of it is received.
    """
    changes = {}
    closed = []
    for before in calls:
        after = copy.copy(before)
        after.close(now_us, epoch)
        changes[after.call_id] = CallChange(before, after, [])
        if before.is_accepted:
            closed.append(after.call_id)
    change = _change(changes.values(), {}, epoch, counted_from_us)
    return Folded(calls=changes, closed=closed, change=change)


def listing(call: CallState) -> Listing | None:
    """Return where a call is listed, None if nowhere."""
    stage = call.stage
    return None if stage is CallStage.UNLISTED else Listing(call.tenant_id, stage)


def event_mark(event: Event) -> Mark:
    """Return where an event that belongs to no call counts in history."""
    return Mark(event.occurred_us, WITHOUT_CALL[event.type], 1)


def needs_stored_reports(change: CallChange) -> bool:
    """Whether `change_history` needs the reports of the call that were stored before.

    The usual report is later than all before it, and then only the largest total matters, which
    the call's state holds.
    """
    before, after, reports = change
    if before is None:
        return False
    if before.tenant_id != after.tenant_id:
        return True
    if not reports or before.reported_us is None:
        return False
    return min(report.us for report in reports) <= before.reported_us


def change_history(change: CallChange, stored: Sequence[MinutesReport] = ()) -> HistoryChange:
    """Return how the call's marks change, and the reports to store for it.

    `stored` are the call's stored reports in order of time, if `needs_stored_reports`.
    """
    before, after, reports = change
    if before is None:
        rising = raising(reports)
        return HistoryChange(set(), marks(after) | report_marks(rising), set(), set(rising))
    old, new = marks(before), marks(after)
    kept: list[MinutesReport] = []
    rising = []
    if before.tenant_id != after.tenant_id:
        kept = list(stored)
        rising = raising([*kept, *reports])
        return HistoryChange(
            old | report_marks(kept),
            new | report_marks(rising),
            set(kept) - set(rising),
            set(rising) - set(kept),
        )
    before_ms = 0
    if reports:
        if before.reported_ms is None or needs_stored_reports(change):
            kept = list(stored)
        else:
            before_ms = before.reported_ms
            reports = [each for each in reports if each.minutes_ms > before_ms]
        rising = raising([*kept, *reports])
        old |= report_marks(kept)
        new |= report_marks(rising, before_ms)
    return HistoryChange(old - new, new - old, set(kept) - set(rising), set(rising) - set(kept))


def forget_call(call: CallState, stored: Sequence[MinutesReport]) -> Set[Mark]:
    """Return all marks of a call, to be removed with it; `stored` are its stored reports."""
    return marks(call) | report_marks(stored)


def _change(
    changes: Iterable[CallChange], totals: dict[str, Counters], epoch: int, counted_from_us: int
) -> Change:
    """Return how the changes of calls, and the totals counted already, change what is live."""
    listings: dict[str, Listing | None] = {}
    for before, after, _ in changes:
        now = after.totals(epoch, counted_from_us)
        was = ZERO if before is None else before.totals(epoch, counted_from_us)
        if before is None or before.tenant_id == after.tenant_id:
            _add(totals, after.tenant_id, minus(now, was))
        else:
            _add(totals, before.tenant_id, minus(ZERO, was))
            _add(totals, after.tenant_id, now)
        listed = listing(after)
        if listed != (None if before is None else listing(before)):
            listings[after.call_id] = listed
    return Change(listings=listings, totals=totals)


def _add(totals: dict[str, Counters], tenant_id: str, added: Counters) -> None:
    if added != ZERO:
        totals[tenant_id] = plus(totals.get(tenant_id, ZERO), added)
