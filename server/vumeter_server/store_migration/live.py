"""Live metrics: tenants with limits, events, and which calls the server closed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from vumeter_server.errors import Conflict
from vumeter_server.live_metrics.migration_store import (
    ClosedCall,
    LiveMigrationSource,
    LiveMigrationTarget,
)
from vumeter_server.live_metrics.model import Event
from vumeter_server.store_migration.differences import Difference, merged
from vumeter_server.store_migration.stores import MigrationStores
from vumeter_server.times.units import MINUTE_US

EVENTS_AT_ONCE: Final = 1_000
RECEIVED_WITHIN_US: Final = MINUTE_US
"""Events received so close to each other are recorded together, as of the last of them."""
_CALLS_AT_ONCE: Final = 500

Hashes = npt.NDArray[np.uint64]


@dataclass(kw_only=True, slots=True)
class LiveMigration:
    """Copies live metrics.

    Attributes:
        on_events: gets how many events more are compared.
    """

    source: MigrationStores
    target: MigrationStores
    on_events: Callable[[int], None] = lambda events: None
    tenants_found: int = 0
    events_found: int = 0
    events_recorded: int = 0
    _writes: list[Event] = field(default_factory=list)
    _received_us: list[int] = field(default_factory=list)

    async def compare(self, fix: bool) -> Sequence[Difference]:
        """Compare everything, and mend it with `fix`."""
        return [
            *await self._tenants(fix),
            *await self._events(fix),
            *await self._closed_calls(fix),
            *await self._listed(),
        ]

    async def _tenants(self, fix: bool) -> list[Difference]:
        ours = {each.tenant_id: each for each in await self.source.live.tenants()}
        theirs = {each.tenant_id: each for each in await self.target.live.tenants()}
        self.tenants_found = len(ours)
        extra = theirs.keys() - ours.keys()
        changed = [
            each
            for tenant_id, each in ours.items()
            if tenant_id not in theirs
            or theirs[tenant_id].max_concurrent_calls != each.max_concurrent_calls
        ]
        if fix:
            for tenant_id in sorted(extra):
                await self._to.delete_tenant(tenant_id)
            for each in changed:
                await self._to.set_limit(each.tenant_id, each.max_concurrent_calls)
        return [
            *_counted("tenants that the target has not, or with another limit", len(changed)),
            *_counted("tenants that the source has not", len(extra)),
        ]

    async def _events(self, fix: bool) -> list[Difference]:
        """Compare events; the target may have some that retention dropped in the source."""
        known = await _hashes(self.target.live)
        found = missing = 0
        async for events in _pages(self.source.live):
            hashes = np.array([_hash(event) for event, _ in events], np.uint64)
            lacking = np.flatnonzero(~np.isin(hashes, known))
            missing += len(lacking)
            found += len(events)
            if fix:
                for index in lacking.tolist():
                    await self._add(*events[index])
            self.on_events(len(events))
        await self._record()
        self.events_found = found
        return _counted("events that the target has not, or not so", missing)

    async def _closed_calls(self, fix: bool) -> list[Difference]:
        """Compare which calls the server closed, and when."""
        missing: list[ClosedCall] = []
        lacking = 0
        both = merged(
            _closed(self.source.live), _closed(self.target.live), lambda each: each.call_id
        )
        async with contextlib.aclosing(both):
            async for ours, theirs in both:
                if ours is not None and ours != theirs:
                    missing.append(ours)
                if len(missing) == _CALLS_AT_ONCE:
                    lacking += len(missing)
                    if fix:
                        await self._to.close_calls(missing)
                    missing = []
        if missing and fix:
            await self._to.close_calls(missing)
        return _counted("calls that are not closed in the target", lacking + len(missing))

    async def _listed(self) -> list[Difference]:
        """Compare which calls are in lists, which follows from all else."""
        ours, theirs = await self.source.live.listed(), await self.target.live.listed()
        calls = ours.keys() | theirs.keys()
        return _counted(
            "calls that are in other lists in the target",
            sum(ours.get(each) != theirs.get(each) for each in calls),
        )

    async def _add(self, event: Event, received_us: int) -> None:
        if self._writes and (
            len(self._writes) == EVENTS_AT_ONCE
            or abs(received_us - self._received_us[0]) > RECEIVED_WITHIN_US
        ):
            await self._record()
        self._writes.append(event)
        self._received_us.append(received_us)

    async def _record(self) -> None:
        if self._writes:
            # An id that is another event's in the target is found by the next comparison.
            with contextlib.suppress(Conflict):
                await self._to.record(self._writes, max(self._received_us))
                self.events_recorded += len(self._writes)
        self._writes, self._received_us = [], []

    @property
    def _to(self) -> LiveMigrationTarget:
        assert self.target.live_target is not None, "what is compared only is not written"
        return self.target.live_target


async def _pages(
    store: LiveMigrationSource,
) -> AsyncGenerator[Sequence[tuple[Event, int]], None]:
    after, through = 0, None
    while through is None or after < through:
        page = await store.received(after, through)
        after, through = page.after, page.through
        if page.events:
            yield page.events


async def _hashes(store: LiveMigrationSource) -> Hashes:
    pages = [
        np.array([_hash(event) for event, _ in events], np.uint64) async for events in _pages(store)
    ]
    return np.unique(np.concatenate([np.empty(0, np.uint64), *pages]))


async def _closed(store: LiveMigrationSource) -> AsyncGenerator[ClosedCall, None]:
    after = ""
    while page := await store.closed_calls(after, _CALLS_AT_ONCE):
        for call in page:
            yield call
        after = page[-1].call_id


def _hash(event: Event) -> int:
    content = msgspec.msgpack.encode(event)
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _counted(what: str, count: int) -> list[Difference]:
    return [Difference(organization=None, what=f"live metrics: {what}: {count:,}")] if count else []
