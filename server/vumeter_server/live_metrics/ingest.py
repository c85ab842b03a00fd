"""The use case of recording: events of either API, parsed, checked and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vumeter_server.errors import VumeterError
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.live_metrics.validation import SentEvent, check
from vumeter_server.runtime import offload
from vumeter_server.runtime.clock import Clock

Checked = list[Event] | VumeterError


@dataclass(frozen=True, kw_only=True, slots=True)
class EventIngest:
    """Records events once they have passed the checks.

    Large batches are parsed and checked by the offload thread, so that no other call waits for it.
    """

    store: LiveStore
    clock: Clock

    async def record(self, sent: Sequence[SentEvent]) -> int:
        """Record a batch, all of it or nothing; return how many events it held, repeats included.

        Raises InvalidArgument, or Conflict if an event id was used before with other content.
        """
        now_us = self.clock()
        events = await offload.PARSING.run(lambda: check(sent, now_us), size=len(sent))
        await self.store.record(events)
        return len(events)

    async def record_each(self, batches: Sequence[Sequence[SentEvent]]) -> list[int | VumeterError]:
        """Record each batch, all of it or nothing; return how many events it held, or its error.

        The valid batches are tried together first, for one commit. Only if the store rejects that
        each is recorded by itself.
        """
        now_us = self.clock()
        checked: list[Checked] = await offload.PARSING.run(
            lambda: [_checked(batch, now_us) for batch in batches], size=sum(map(len, batches))
        )
        together = [event for events in checked if isinstance(events, list) for event in events]
        try:
            await self.store.record(together)
        except VumeterError:
            return [await self._recorded(events) for events in checked]
        return [len(events) if isinstance(events, list) else events for events in checked]

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
