"""The live view: the live metrics and lists of calls after the last commit, in memory.

It holds tenants and listed calls, never events, so reading it does not cost more as the past grows.
It belongs to the event loop's thread. It follows a store: the changes come in the order of their
commits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.counters import ZERO, Counters, plus
from vumeter_server.live_metrics.fold import Change, Listing
from vumeter_server.live_metrics.store import LiveStore


@dataclass(frozen=True, slots=True, eq=False)
class LiveValues:
    """The live metrics of one tenant, or of all tenants together, at one moment."""

    active_calls: int
    totals: Counters


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Capacity:
    """Listed calls as (call_id, tenant_id), sorted; the active ones are accepted too."""

    active: Sequence[tuple[str, str]]
    accepted: Sequence[tuple[str, str]]
    pending: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Calls of one tenant that are not active yet."""

    pending: int
    """Wait for a decision."""
    unstarted: int
    """Accepted, neither started nor ended."""


@dataclass(slots=True, eq=False)
class _Watched:
    """The values of one tenant (or of all) and the flags of those who watch them."""

    values: LiveValues = field(default_factory=lambda: LiveValues(0, ZERO))
    flags: set[asyncio.Event] = field(default_factory=set)


class LiveView:
    """The committed live state of this service start (epoch)."""

    def __init__(self) -> None:
        self._all = _Watched()
        self._tenants: dict[str, _Watched] = {}
        self._listings: dict[str, Listing] = {}
        self._limits: dict[str, int] = {}
        self._capacity: Capacity | None = None
        self._waiting: Counter[tuple[str, CallStage]] = Counter()
        self.watchers = 0
        """How many watch."""
        self.closing = asyncio.Event()
        """Set when the server shuts down: streams that callers hold open end then."""

    @classmethod
    async def of(cls, store: LiveStore) -> LiveView:
        """Return the view of what is in `store`, now and from now on."""
        view = cls()
        await store.follow(view.apply)
        return view

    def values(self, tenant_id: str | None) -> LiveValues:
        """Return the counters of a tenant (zeros if it is unknown), of all tenants if None.

        The same object as before if nothing changed.
        """
        return self._values_of(tenant_id).values

    def all_values(self) -> list[tuple[str, LiveValues]]:
        """Return every tenant with its values; any thread may ask."""
        return [(tenant_id, each.values) for tenant_id, each in list(self._tenants.items())]

    def capacity(self) -> Capacity:
        """Return the lists of calls; the same object as before if no list changed."""
        if self._capacity is None:
            calls = sorted(self._listings.items())
            self._capacity = Capacity(
                active=[(call, at.tenant_id) for call, at in calls if at.stage is CallStage.ACTIVE],
                accepted=[
                    (call, at.tenant_id) for call, at in calls if at.stage >= CallStage.ACCEPTED
                ],
                pending=[
                    (call, at.tenant_id) for call, at in calls if at.stage is CallStage.PENDING
                ],
            )
        return self._capacity

    def waiting(self, tenant_id: str) -> Waiting:
        """Return how many calls of a tenant wait, in which way."""
        return Waiting(
            pending=self._waiting[tenant_id, CallStage.PENDING],
            unstarted=self._waiting[tenant_id, CallStage.ACCEPTED],
        )

    def limit(self, tenant_id: str) -> int | None:
        """Return a tenant's limit, None if it has none."""
        return self._limits.get(tenant_id)

    def apply(self, change: Change) -> None:
        """Apply what was committed and raise the flags of those who watch it."""
        for tenant_id, limit in change.limits.items():
            if limit is None:
                self._limits.pop(tenant_id, None)
            else:
                self._limits[tenant_id] = limit
        active = self._list(change.listings)
        changed = False
        for tenant_id in active.keys() | change.totals.keys():
            difference = active.get(tenant_id, 0), change.totals.get(tenant_id, ZERO)
            if difference == (0, ZERO):
                continue
            if tenant_id not in self._tenants:
                self._tenants[tenant_id] = _Watched()
            for watched in (self._tenants[tenant_id], self._all):
                watched.values = LiveValues(
                    watched.values.active_calls + difference[0],
                    plus(watched.values.totals, difference[1]),
                )
            _raise(self._tenants[tenant_id])
            self._forget_if_empty(tenant_id, self._tenants[tenant_id])
            changed = True
        if changed:
            _raise(self._all)

    def _list(self, listings: Mapping[str, Listing | None]) -> dict[str, int]:
        """Apply new listings; return by how much each tenant's number of active calls changes."""
        active: dict[str, int] = {}
        for call_id, listing in listings.items():
            known = self._listings.pop(call_id, None)
            if listing is not None:
                self._listings[call_id] = listing
            for each, sign in ((known, -1), (listing, 1)):
                if each is None:
                    continue
                if each.stage is CallStage.ACTIVE:
                    active[each.tenant_id] = active.get(each.tenant_id, 0) + sign
                else:
                    self._wait(each, sign)
        if listings:
            self._capacity = None
        return active

    def _wait(self, call: Listing, sign: int) -> None:
        where = call.tenant_id, call.stage
        self._waiting[where] += sign
        if not self._waiting[where]:
            del self._waiting[where]

    @contextmanager
    def watching(self, tenant_id: str | None) -> Iterator[asyncio.Event]:
        """Give a flag that is raised whenever the values changed, until the context ends."""
        flag = asyncio.Event()
        watched = self._values_of(tenant_id)
        if tenant_id is not None:
            # A tenant may be watched before anything is known of it.
            watched = self._tenants.setdefault(tenant_id, watched)
        watched.flags.add(flag)
        self.watchers += 1
        try:
            yield flag
        finally:
            self.watchers -= 1
            watched.flags.discard(flag)
            if tenant_id is not None:
                self._forget_if_empty(tenant_id, watched)

    def close(self) -> None:
        """Set `closing` and wake all who watch, so that they see it."""
        self.closing.set()
        for watched in (self._all, *self._tenants.values()):
            _raise(watched)

    def _values_of(self, tenant_id: str | None) -> _Watched:
        return self._all if tenant_id is None else self._tenants.get(tenant_id) or _Watched()

    def _forget_if_empty(self, tenant_id: str, watched: _Watched) -> None:
        values = watched.values
        if not watched.flags and values.active_calls == 0 and values.totals == ZERO:
            self._tenants.pop(tenant_id, None)


def _raise(watched: _Watched) -> None:
    for flag in watched.flags:
        flag.set()
