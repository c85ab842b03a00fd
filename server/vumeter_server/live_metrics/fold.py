"""One call: the fold of its events, the same for every order in which they are received.

Within a launch everything here is a function of the set of events received; launches come one after
another, so what a call adds to a launch's totals is the difference that the launch's events made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, IntFlag

import msgspec

from vumeter_server.live_metrics.counters import REJECTED, Counters, Kind, counters
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason

MICROSECONDS_A_MILLISECOND = 1_000


class State(IntEnum):
    """Which lists a call is in."""

    UNLISTED = 0
    PENDING = 1
    """Waits for a decision."""
    ACCEPTED = 2
    """Accepted, neither started nor ended."""
    ACTIVE = 3
    """Started and not ended; also in the list of accepted calls."""


class First(IntFlag):
    """The kinds whose first event was received in the launch that a call was last heard of in."""

    ACCEPTED = 1
    """The first of accepted and started."""
    REJECTED = 2
    STARTED = 4
    ENDED = 8
    REFERRED = 16


# A Struct and not a dataclass: a call is copied for each batch that touches it, and copying a
# Struct takes a tenth of the time.
class Call(msgspec.Struct, kw_only=True):
    """What is known of a call. Times are in microseconds since the epoch, None where unknown.

    Of several events of one kind the smallest (occurred_us, event_id) wins; ids are kept only where
    two winners of equal time could say different things.
    """

    call_id: str
    tenant_id: str
    tenant_us: int
    tenant_event: str
    pending_us: int | None = None
    accepted_us: int | None = None
    rejected_us: int | None = None
    rejected_event: str | None = None
    reason: RejectionReason | None = None
    started_us: int | None = None
    referred_us: int | None = None
    reported_us: int | None = None
    """When the largest total of minutes was reached, by the reports."""
    reported_ms: int | None = None
    ended_us: int | None = None
    ended_event: str | None = None
    outcome: CallOutcome | None = None
    closed_us: int | None = None
    """When the server closed the call for want of events."""
    lapsed: bool = False
    """Nothing was received for too long while it was pending."""
    launch: int
    """The launch in which it was last heard of."""
    first: First = First(0)
    minutes_before_ms: int = 0
    """Its minutes when that launch began."""
    first_received_us: int
    last_received_us: int

    @property
    def is_accepted(self) -> bool:
        """Whether an event says accepted, or started, which implies it."""
        return self.accepted_us is not None or self.started_us is not None

    @property
    def is_ended(self) -> bool:
        """Whether an event says ended or the server closed it."""
        return self.ended_us is not None or self.closed_us is not None

    @property
    def state(self) -> State:
        """Which lists it is in."""
        if self.is_ended:
            return State.UNLISTED
        if self.started_us is not None:
            return State.ACTIVE
        if self.accepted_us is not None:
            return State.ACCEPTED
        if self.pending_us is not None and self.rejected_us is None and not self.lapsed:
            return State.PENDING
        return State.UNLISTED

    @property
    def is_rejected(self) -> bool:
        """Whether it counts as rejected: nothing says accepted, started or ended."""
        return self.rejected_us is not None and not self.is_accepted and not self.is_ended

    @property
    def effective_end_us(self) -> int | None:
        """When it ended: what a call server says, else when the server closed it."""
        return self.ended_us if self.ended_us is not None else self.closed_us

    @property
    def is_failed(self) -> bool:
        """Whether it ended with an error; a call closed for want of events did."""
        if self.ended_us is not None:
            return self.outcome is CallOutcome.FAILED
        return self.closed_us is not None

    @property
    def fallback_ms(self) -> int | None:
        """From start to reported end, the minutes where no event reported any; else None."""
        if self.reported_ms is not None or self.ended_us is None or self.started_us is None:
            return None
        return max(0, self.ended_us - self.started_us) // MICROSECONDS_A_MILLISECOND

    @property
    def minutes_ms(self) -> int:
        """Its minutes so far, in milliseconds."""
        return self.reported_ms if self.reported_ms is not None else self.fallback_ms or 0

    def receive(self, event: Event, launch: int, received_us: int) -> None:
        """Take in one event of this call that was not received before."""
        self._heard(launch, received_us)
        self.lapsed = False
        at = event.occurred_us
        if (at, event.event_id) < (self.tenant_us, self.tenant_event):
            self.tenant_us, self.tenant_event = at, event.event_id
            self.tenant_id = event.tenant_id
        if (receive := _RECEIVE.get(event.type)) is not None:
            receive(self, event)
        if (reported_ms := event.minutes_ms) is not None:
            self._receive_report(at, reported_ms)

    def close(self, now_us: int, launch: int) -> None:
        """End it as failed, or let it leave the list of pending calls, for want of events."""
        received_us = self.last_received_us
        if self.is_accepted:
            self._heard(launch, received_us)
            if not self.is_ended:
                self.first |= First.ENDED
            self.closed_us = now_us
        else:
            self.lapsed = True

    def totals(self, launch: int) -> Counters:
        """What it adds to the totals of `launch`, all of it to its tenant's."""
        if self.launch != launch:
            return counters(())
        first = self.first
        amounts: list[tuple[Kind, int]] = [
            (Kind.MINUTES, max(0, self.minutes_ms - self.minutes_before_ms))
        ]
        if First.ACCEPTED in first:
            amounts.append((Kind.ACCEPTED, 1))
        if First.STARTED in first:
            amounts.append((Kind.STARTED, 1))
        if First.ENDED in first:
            amounts.append((Kind.ENDED, 1))
            if self.is_failed:
                amounts.append((Kind.FAILED, 1))
        if First.REFERRED in first:
            amounts.append((Kind.REFERRED, 1))
        if First.REJECTED in first and self.is_rejected and self.reason is not None:
            amounts.append((REJECTED[self.reason], 1))
        return counters(amounts)

    def _heard(self, launch: int, received_us: int) -> None:
        if launch != self.launch:
            self.minutes_before_ms = self.minutes_ms
            self.first = First(0)
            self.launch = launch
        self.last_received_us = received_us

    def _receive_pending(self, event: Event) -> None:
        self.pending_us = _earliest(self.pending_us, event.occurred_us)

    def _receive_accepted(self, event: Event) -> None:
        if not self.is_accepted:
            self.first |= First.ACCEPTED
        self.accepted_us = _earliest(self.accepted_us, event.occurred_us)

    def _receive_started(self, event: Event) -> None:
        if not self.is_accepted:
            self.first |= First.ACCEPTED
        if self.started_us is None:
            self.first |= First.STARTED
        self.started_us = _earliest(self.started_us, event.occurred_us)

    def _receive_referred(self, event: Event) -> None:
        if self.referred_us is None:
            self.first |= First.REFERRED
        self.referred_us = _earliest(self.referred_us, event.occurred_us)

    def _receive_ended(self, event: Event) -> None:
        if not self.is_ended:
            self.first |= First.ENDED
        if self.ended_us is None or (event.occurred_us, event.event_id) < (
            self.ended_us,
            self.ended_event or "",
        ):
            self.ended_us, self.ended_event = event.occurred_us, event.event_id
            self.outcome = event.outcome

    def _receive_rejected(self, event: Event) -> None:
        if self.rejected_us is None:
            self.first |= First.REJECTED
        if self.rejected_us is None or (event.occurred_us, event.event_id) < (
            self.rejected_us,
            self.rejected_event or "",
        ):
            self.rejected_us, self.rejected_event = event.occurred_us, event.event_id
            self.reason = event.reason

    def _receive_report(self, at: int, reported_ms: int) -> None:
        known = (-1, 0)
        if self.reported_ms is not None and self.reported_us is not None:
            known = (self.reported_ms, -self.reported_us)
        if (reported_ms, -at) > known:
            self.reported_us, self.reported_ms = at, reported_ms


_RECEIVE: Mapping[EventType, Callable[[Call, Event], None]] = {
    EventType.PENDING: Call._receive_pending,
    EventType.ACCEPTED: Call._receive_accepted,
    EventType.REJECTED: Call._receive_rejected,
    EventType.STARTED: Call._receive_started,
    EventType.REFERRED: Call._receive_referred,
    EventType.ENDED: Call._receive_ended,
}


def new_call(event: Event, launch: int, received_us: int) -> Call:
    """Return the call of which `event`, not yet taken in, is the first one received."""
    return Call(
        call_id=event.call_id or "",
        tenant_id=event.tenant_id,
        tenant_us=event.occurred_us,
        tenant_event=event.event_id,
        launch=launch,
        first_received_us=received_us,
        last_received_us=received_us,
    )


def _earliest(known: int | None, at: int) -> int:
    return at if known is None or at < known else known
