"""The use case of recording: events of either API, parsed, checked and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vumeter_server.errors import PermissionDenied, VumeterError
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.live_metrics.validation import SentEvent, check
from vumeter_server.runtime.clock import Clock

Checked = list[Event] | VumeterError


@dataclass(frozen=True, kw_only=True, slots=True)
class EventIngest:
    """Records events once they have passed the checks.

    `only_tenant` is the one tenant that the caller may report for, None if it may for all: a batch
    with an event of another tenant, or of another tenant's call, is PermissionDenied.

    Checks run on any thread: an API parses and checks a large batch off the event loop.
    """

    store: LiveStore
    clock: Clock
    on_recorded: Callable[[int], None] = lambda events: None
    """Is called with the number of events that were acknowledged."""

    def check(self, sent: Sequence[SentEvent], only_tenant: str | None) -> list[Event]:
        """Return a batch as events to record; raises PermissionDenied and InvalidArgument."""
        return _check(sent, self.clock(), only_tenant)

    def check_each(
        self, batches: Iterable[Sequence[SentEvent]], only_tenant: str | None
    ) -> list[Checked]:
        """Return each batch as events to record, or its error."""
        now_us = self.clock()
        return [_checked(batch, now_us, only_tenant) for batch in batches]

    async def record(self, events: Sequence[Event], only_tenant: str | None) -> int:
        """Record a batch, all of it or nothing; return how many events it held, repeats included.

        Raises Conflict if an event id was used before with other content, PermissionDenied if an
        event is of another tenant's call.
        """
        await self.store.record(events, only_tenant)
        self.on_recorded(len(events))
        return len(events)

    async def record_each(
        self, batches: Sequence[Checked], only_tenant: str | None
    ) -> list[int | VumeterError]:
        """Record each batch, all of it or nothing; return how many events it held, or its error.

        The valid batches are tried together first, for one commit. Only if the store rejects that
        each is recorded by itself.
        """
        together = [event for events in batches if isinstance(events, list) for event in events]
        try:
            await self.store.record(together, only_tenant)
        except VumeterError:
            return [await self._recorded(events, only_tenant) for events in batches]
        self.on_recorded(len(together))
        return [len(events) if isinstance(events, list) else events for events in batches]

    async def _recorded(self, events: Checked, only_tenant: str | None) -> int | VumeterError:
        if isinstance(events, VumeterError):
            return events
        try:
            return await self.record(events, only_tenant)
        except VumeterError as error:
            return error


def _check(sent: Sequence[SentEvent], now_us: int, only_tenant: str | None) -> list[Event]:
    # First: what a caller may not do is rejected whether or not it is done well.
    if only_tenant is not None and any(
        event.tenant_id not in {None, only_tenant} for event in sent
    ):
        raise PermissionDenied
    return check(sent, now_us)


def _checked(sent: Sequence[SentEvent], now_us: int, only_tenant: str | None) -> Checked:
    try:
        return _check(sent, now_us, only_tenant)
    except VumeterError as error:
        return error
