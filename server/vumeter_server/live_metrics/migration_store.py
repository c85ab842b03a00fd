"""The contract of a store of live metrics with `vumeter migrate`.

All that there is follows from the events received, and from which calls the server closed. What
`LiveStore` promises of durability and errors holds here, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.live_metrics.call_state import CallState
from vumeter_server.live_metrics.fold import Listing
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedEvents:
    """Some events with when each was received; there are more unless `after` is `through`."""

    events: Sequence[tuple[Event, int]]
    after: int
    through: int
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedCall:
    """A call that the server closed because no event came; `closed_us` is None if it lapsed.

    An accepted or active call is closed at a time. A pending one lapses: it is in no list until
    another event of it is received.
    """

    call_id: str
    closed_us: int | None


class LiveMigrationSource(Protocol):
    """What a migration reads, beside servers that run."""

    async def tenants(self) -> Sequence[Tenant]:
        """Return all tenants, by id."""

    async def received(self, after: int, through: int | None) -> ReceivedEvents:
        """Return the next events as `LiveStore.events` does, with when they were received."""

    async def closed_calls(self, after: str, most: int) -> Sequence[ClosedCall]:
        """Return the next `most` closed calls behind the id `after`, by id by code point."""

    async def listed(self) -> Mapping[str, Listing]:
        """Return the calls that are in lists."""


class LiveMigrationTarget(Protocol):
    """What a migration writes; no server runs meanwhile."""

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> None:
        """Set or remove a tenant's limit; the tenant is known from then on."""

    async def delete_tenant(self, tenant_id: str) -> None:
        """Delete a tenant with all it has."""

    async def record(self, events: Sequence[Event], received_us: int) -> None:
        """Record events as `LiveStore.record` does, received at that time; none is in totals."""

    async def close_calls(self, calls: Sequence[ClosedCall]) -> None:
        """Close calls as the other server did; one that is not known, or closed so, stays."""


class ReceivedAt:
    """The clock of a target: when what is recorded next was received."""

    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        """Return that time, in microseconds since the epoch."""
        return self.us


def is_closed(call: CallState, closed_us: int | None) -> bool:
    """Whether a call is closed, or lapsed, as the other server did it."""
    return call.lapsed if closed_us is None else call.closed_us == closed_us
