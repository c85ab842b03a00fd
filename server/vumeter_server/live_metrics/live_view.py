"""The board: the live figures and lists as they stand after the last commit, in memory.

It holds tenants and listed calls, never events, so what it costs to read does not grow with the
past. It belongs to the event loop's thread; changes come to it in the order of their commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from vumeter_server.live_metrics.counters import ZERO, Counters, plus
from vumeter_server.live_metrics.fold import State


class Listing(NamedTuple):
    """Where a call is listed."""

    tenant_id: str
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What one commit changed: listings by call (None: in no list) and totals by tenant."""

    listings: Mapping[str, Listing | None]
    totals: Mapping[str, Counters]


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The counters of one tenant, or of all tenants together, at one moment."""

    active_calls: int
    totals: Counters


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Capacity:
    """Listed calls as (call_id, tenant_id), sorted; the active ones are accepted too."""

    active: Sequence[tuple[str, str]]
    accepted: Sequence[tuple[str, str]]
    pending: Sequence[tuple[str, str]]


@dataclass(slots=True, eq=False)
class _Page:
    """The figures of one tenant (or of all) and who is to be told when they change."""

    figures: Figures = field(default_factory=lambda: Figures(0, ZERO))
    flags: set[asyncio.Event] = field(default_factory=set)


class Board:
    """The live state of this launch."""

    def __init__(self) -> None:
        self._all = _Page()
        self._tenants: dict[str, _Page] = {}
        self._listings: dict[str, Listing] = {}
        self._capacity: Capacity | None = None
        self.closing = asyncio.Event()
        """Set when the server shuts down: what stays open for a caller's sake ends then."""

    def figures(self, tenant_id: str | None) -> Figures:
        """Return the counters of a tenant (zeros if it is unknown), of all tenants if None.

        The same object as before if nothing changed.
        """
        return self._page(tenant_id).figures

    def capacity(self) -> Capacity:
        """Return the lists of calls; the same object as before if no list changed."""
        if self._capacity is None:
            calls = sorted(self._listings.items())
            self._capacity = Capacity(
                active=[(call, at.tenant_id) for call, at in calls if at.state is State.ACTIVE],
                accepted=[(call, at.tenant_id) for call, at in calls if at.state >= State.ACCEPTED],
                pending=[(call, at.tenant_id) for call, at in calls if at.state is State.PENDING],
            )
        return self._capacity

    def apply(self, change: Change) -> None:
        """Take in what was committed and raise the flags of those who watch it."""
        active: dict[str, int] = {}
        for call_id, listing in change.listings.items():
            known = self._listings.pop(call_id, None)
            if listing is not None:
                self._listings[call_id] = listing
            for each, sign in ((known, -1), (listing, 1)):
                if each is not None and each.state is State.ACTIVE:
                    active[each.tenant_id] = active.get(each.tenant_id, 0) + sign
        if change.listings:
            self._capacity = None
        changed = False
        for tenant_id in active.keys() | change.totals.keys():
            difference = active.get(tenant_id, 0), change.totals.get(tenant_id, ZERO)
            if difference == (0, ZERO):
                continue
            if tenant_id not in self._tenants:
                self._tenants[tenant_id] = _Page()
            for page in (self._tenants[tenant_id], self._all):
                page.figures = Figures(
                    page.figures.active_calls + difference[0],
                    plus(page.figures.totals, difference[1]),
                )
            _raise(self._tenants[tenant_id])
            changed = True
        if changed:
            _raise(self._all)

    @contextmanager
    def watching(self, tenant_id: str | None) -> Iterator[asyncio.Event]:
        """Give a flag that is raised whenever the figures changed, until the context ends."""
        flag = asyncio.Event()
        page = self._page(tenant_id)
        if tenant_id is not None:
            # A tenant may be watched before anything is known of it.
            page = self._tenants.setdefault(tenant_id, page)
        page.flags.add(flag)
        try:
            yield flag
        finally:
            page.flags.discard(flag)
            if tenant_id is not None and not page.flags and page.figures.totals == ZERO:
                self._forget_if_empty(tenant_id, page)

    def close(self) -> None:
        """Set `closing` and wake all who watch, so that they see it."""
        self.closing.set()
        for page in (self._all, *self._tenants.values()):
            _raise(page)

    def _page(self, tenant_id: str | None) -> _Page:
        return self._all if tenant_id is None else self._tenants.get(tenant_id) or _Page()

    def _forget_if_empty(self, tenant_id: str, page: _Page) -> None:
        if page.figures.active_calls == 0:
            self._tenants.pop(tenant_id, None)


def _raise(page: _Page) -> None:
    for flag in page.flags:
        flag.set()
