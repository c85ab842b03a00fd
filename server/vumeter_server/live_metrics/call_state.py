"""The state of one call, the same for every order in which its events are received.

Within one service start (epoch) it is a function of the set of events received. Epochs come one
after another, so a call adds to the totals of an epoch what the events of that epoch changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, IntFlag

import msgspec

from vumeter_server.live_metrics.counters import (
    COUNTS_AS,
    END_OF,
    REJECTED,
    Counter,
    Counters,
    counters,
)
from vumeter_server.live_metrics.event_order import precedes
from vumeter_server.live_metrics.model import (
    CallOutcome,
    Event,
    EventType,
    RejectionReason,
)

MICROSECONDS_PER_MILLISECOND = 1_000


class CallStage(IntEnum):
    """Which lists a call is in."""

    UNLISTED = 0
    PENDING = 1
    """Waits for a decision."""
    ACCEPTED = 2
    """Accepted, neither started nor ended."""
    ACTIVE = 3
    """Started and not ended; also in the list of accepted calls."""


class First(IntFlag):
    """The kinds of event that were first received in the epoch of the call's last event."""

    ACCEPTED = 1
    """The first of accepted and started."""
    REJECTED = 2
    STARTED = 4
    ENDED = 8
    REFERRED = 16


# A Struct and not a dataclass: each batch copies the calls that it changes, and copying a Struct
# takes a tenth of the time.
class CallState(msgspec.Struct, kw_only=True):
    """What is known of a call. Times are Unix times in microseconds, None where unknown.

    Of several events of one kind the first in order wins (`precedes`). The winner's sequence and id
    are kept only where two events of equal time could say different things.
    """

    call_id: str
    tenant_id: str
    tenant_us: int
    tenant_sequence: int | None
    tenant_event: str
    pending_us: int | None = None
    accepted_us: int | None = None
    rejected_us: int | None = None
    rejected_sequence: int | None = None
    rejected_event: str | None = None
    reason: RejectionReason | None = None
    started_us: int | None = None
    referred_us: int | None = None
    reported_us: int | None = None
    """When the largest total of minutes was reached, by the reports."""
    reported_ms: int | None = None
    ended_us: int | None = None
    ended_sequence: int | None = None
    ended_event: str | None = None
    outcome: CallOutcome | None = None
    closed_us: int | None = None
    """When the server closed the call because no events came."""
    lapsed: bool = False
    """No event was received for too long while it was pending."""
    epoch: int
    """The epoch in which its last event was received."""
    first: First = First(0)
    minutes_before_ms: int = 0
    """Its minutes when that epoch began."""
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
    def stage(self) -> CallStage:
        """Which lists it is in."""
        if self.is_ended:
            return CallStage.UNLISTED
        if self.started_us is not None:
            return CallStage.ACTIVE
        if self.accepted_us is not None:
            return CallStage.ACCEPTED
        if self.pending_us is not None and self.rejected_us is None and not self.lapsed:
            return CallStage.PENDING
        return CallStage.UNLISTED

    @property
    def is_rejected(self) -> bool:
        """Whether it counts as rejected: nothing says accepted, started or ended."""
        return self.rejected_us is not None and not self.is_accepted and not self.is_ended

    @property
    def effective_end_us(self) -> int | None:
        """When it ended: what a call server says, else when the server closed it."""
        return self.ended_us if self.ended_us is not None else self.closed_us

    @property
    def end(self) -> Counter | None:
        """As what its end counts, None if it goes on.

        A call that an earlier version closed because no events came has no outcome; it failed.
        """
        if self.outcome is not None:
            return END_OF[self.outcome]
        return Counter.FAILED if self.is_ended else None

    @property
    def fallback_ms(self) -> int | None:
        """From start to reported end, the minutes where no event reported any; else None."""
        if self.reported_ms is not None or self.ended_us is None or self.started_us is None:
            return None
        return max(0, self.ended_us - self.started_us) // MICROSECONDS_PER_MILLISECOND

    @property
    def minutes_ms(self) -> int:
        """Its minutes so far, in milliseconds."""
        return self.reported_ms if self.reported_ms is not None else self.fallback_ms or 0

    @property
    def minutes_reached_us(self) -> int | None:
        """When its minutes were as many as they are, None where it has none."""
        return self.ended_us if self.reported_ms is None else self.reported_us

    def receive(self, event: Event, epoch: int, received_us: int) -> None:
        """Apply one event of this call that was not received before."""
        self._enter_epoch(epoch, received_us)
        self.lapsed = False
        at = event.occurred_us
        if precedes(event, self.tenant_us, self.tenant_sequence, self.tenant_event):
            self.tenant_us, self.tenant_event = at, event.event_id
            self.tenant_sequence = event.sequence
            self.tenant_id = event.tenant_id
        if (receive := _RECEIVE.get(event.type)) is not None:
            receive(self, event)
        if (reported_ms := event.minutes_ms) is not None:
            self._receive_report(at, reported_ms)

    def close(self, now_us: int, epoch: int) -> None:
        """Let it time out because no events came, or leave the list of pending calls."""
        received_us = self.last_received_us
        if self.is_accepted:
            self._enter_epoch(epoch, received_us)
            if not self.is_ended:
                self.first |= First.ENDED
            self.closed_us = now_us
            if self.ended_us is None:
                self.outcome = CallOutcome.TIMED_OUT
        else:
            self.lapsed = True

    def totals(self, epoch: int, counted_from_us: int = 0) -> Counters:
        """What it adds to the totals of `epoch`, all of it to its tenant's.

        What occurred before `counted_from_us` adds nothing. Like the rest it is decided by what the
        events say together, so that their order does not matter.
        """
        if self.epoch != epoch:
            return counters(())
        first = self.first

        def counts(kind: First, us: int | None) -> bool:
            return kind in first and us is not None and us >= counted_from_us

        amounts: list[tuple[Counter, int]] = []
        if (self.minutes_reached_us or 0) >= counted_from_us:
            amounts.append((Counter.MINUTES, max(0, self.minutes_ms - self.minutes_before_ms)))
        accepted_us = self.accepted_us
        if self.started_us is not None:
            accepted_us = _earliest(accepted_us, self.started_us)
        if counts(First.ACCEPTED, accepted_us):
            amounts.append((Counter.ACCEPTED, 1))
        if counts(First.STARTED, self.started_us):
            amounts.append((Counter.STARTED, 1))
        if counts(First.ENDED, self.effective_end_us) and self.end is not None:
            amounts += [(kind, 1) for kind in COUNTS_AS[self.end]]
        if counts(First.REFERRED, self.referred_us):
            amounts.append((Counter.REFERRED, 1))
        is_rejected = self.is_rejected and counts(First.REJECTED, self.rejected_us)
        if is_rejected and self.reason is not None:
            amounts.append((REJECTED[self.reason], 1))
        return counters(amounts)

    def _enter_epoch(self, epoch: int, received_us: int) -> None:
        if epoch != self.epoch:
            self.minutes_before_ms = self.minutes_ms
            self.first = First(0)
            self.epoch = epoch
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
        if precedes(event, self.ended_us, self.ended_sequence, self.ended_event):
            self.ended_us, self.ended_event = event.occurred_us, event.event_id
            self.ended_sequence = event.sequence
            self.outcome = event.outcome

    def _receive_rejected(self, event: Event) -> None:
        if self.rejected_us is None:
            self.first |= First.REJECTED
        if precedes(event, self.rejected_us, self.rejected_sequence, self.rejected_event):
            self.rejected_us, self.rejected_event = event.occurred_us, event.event_id
            self.rejected_sequence = event.sequence
            self.reason = event.reason

    def _receive_report(self, at: int, reported_ms: int) -> None:
        known = (-1, 0)
        if self.reported_ms is not None and self.reported_us is not None:
            known = (self.reported_ms, -self.reported_us)
        if (reported_ms, -at) > known:
            self.reported_us, self.reported_ms = at, reported_ms


_RECEIVE: Mapping[EventType, Callable[[CallState, Event], None]] = {
    EventType.PENDING: CallState._receive_pending,
    EventType.ACCEPTED: CallState._receive_accepted,
    EventType.REJECTED: CallState._receive_rejected,
    EventType.STARTED: CallState._receive_started,
    EventType.REFERRED: CallState._receive_referred,
    EventType.ENDED: CallState._receive_ended,
}


def new_call(event: Event, epoch: int, received_us: int) -> CallState:
    """Return the call of which `event`, not yet applied, is the first one received."""
    return CallState(
        call_id=event.call_id or "",
        tenant_id=event.tenant_id,
        tenant_us=event.occurred_us,
        tenant_sequence=event.sequence,
        tenant_event=event.event_id,
        epoch=epoch,
        first_received_us=received_us,
        last_received_us=received_us,
    )


def _earliest(known: int | None, at: int) -> int:
    return at if known is None or at < known else known
