"""Recording: reports of either face, checked and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vumeter_server.errors import VumeterError
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.live_metrics.validation import Report, check
from vumeter_server.runtime.clock import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Records events, once they have passed the checks."""

    store: LiveStore
    clock: Clock

    async def record(self, reports: Sequence[Report]) -> int:
        """Record a batch, all of it or nothing; return how many events it held.

        Raises InvalidArgument, or Conflict if an event id was used before with other content.
        """
        events = check(reports, self.clock())
        await self.store.record(events)
        return len(events)

    async def record_each(self, batches: Sequence[Sequence[Report]]) -> list[int | VumeterError]:
        """Record each batch, all of it or nothing; return how many events it held, or its refusal.

        The good ones are tried together first, for one commit; only if that is refused each goes by
        itself.
        """
        checked = [self._checked(batch) for batch in batches]
        together = [event for events in checked if isinstance(events, list) for event in events]
        try:
            if together:
                await self.store.record(together)
        except VumeterError:
            return [await self._recorded(events) for events in checked]
        return [len(events) if isinstance(events, list) else events for events in checked]

    def _checked(self, reports: Sequence[Report]) -> list[Event] | VumeterError:
        try:
            return check(reports, self.clock())
        except VumeterError as error:
            return error

    async def _recorded(self, events: list[Event] | VumeterError) -> int | VumeterError:
        if isinstance(events, VumeterError):
            return events
        try:
            await self.store.record(events)
        except VumeterError as error:
            return error
        return len(events)
