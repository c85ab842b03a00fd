"""The one order of events, by which of several of one kind the first wins."""

from __future__ import annotations

from vumeter_server.live_metrics.model import Event

# In place of the sequence of an event that has none: greater than any that is given.
_WITHOUT_SEQUENCE = 2**63


def precedes(event: Event, us: int | None, sequence: int | None, event_id: str | None) -> bool:
    """Whether `event` comes before the event `event_id` of time `us`; None is after everything.

    The order is by (occurred_us, sequence, event_id), an event without a
    sequence after those that have one.
    """
    if us is None or event.occurred_us != us:
        return us is None or event.occurred_us < us
    own = _WITHOUT_SEQUENCE if event.sequence is None else event.sequence
    other = _WITHOUT_SEQUENCE if sequence is None else sequence
    return (own, event.event_id) < (other, event_id or "")
