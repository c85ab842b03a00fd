"""The use case of recording: events of either API, parsed, checked and stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vumeter_server.errors import VumeterError
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.live_metrics.validation import SentEvent, check
from vumeter_server.runtime.clock import Clock

Checked = list[Event] | VumeterError


@dataclass(frozen=True, kw_only=True, slots=True)
class EventIngest:
    """Records events once they have passed the checks.

    Checks run on any thread: an API parses and checks a large batch off the event loop.
    """

    store: LiveStore
    clock: Clock

    def check(self, sent: Sequence[SentEvent]) -> list[Event]:
        """Return a batch as events to record; raises InvalidArgument."""
        return check(sent, self.clock())

    def check_each(self, batches: Iterable[Sequence[SentEvent]]) -> list[Checked]:
        """Return each batch as events to record, or its error."""
        now_us = self.clock()
        return [_checked(batch, now_us) for batch in batches]

    async def record(self, events: Sequence[Event]) -> int:
        """Record a batch, all of it or nothing; return how many events it held, repeats included.

        Raises Conflict if an event id was used before with other content.
        """
        await self.store.record(events)
        return len(events)

    async def record_each(self, batches: Sequence[Checked]) -> list[int | VumeterError]:
        """Record each batch, all of it or nothing; return how many events it held, or its error.

        The valid batches are tried together first, for one commit. Only if the store rejects that
        each is recorded by itself.
        """
        together = [event for events in batches if isinstance(events, list) for event in events]
        try:
            await self.store.record(together)
        except VumeterError:
            return [await self._recorded(events) for events in batches]
        return [len(events) if isinstance(events, list) else events for events in batches]

    async def _recorded(self, events: Checked) -> int | VumeterError:
        if isinstance(events, VumeterError):
            return events
        try:
            await self.store.record(events)
        except VumeterError as error:
            return error
        return len(events)


def _checked(sent: Sequence[SentEvent], now_us: int) -> Checked:
    try:
        return check(sent, now_us)
    except VumeterError as error:
        return error
