"""What live metrics ask of storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.live_view import Board
from vumeter_server.live_metrics.model import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A tenant, its last event and its limit; times in microseconds since the epoch."""

    tenant_id: str
    last_occurred_us: int | None
    last_received_us: int | None
    max_concurrent_calls: int | None


class LiveStore(Protocol):
    """Events, and everything that follows from them, kept in one place by one process."""

    @property
    def board(self) -> Board:
        """The live figures of what was committed."""

    async def record(self, events: Sequence[Event]) -> None:
        """Record all of `events` or none.

        Raises Conflict if an event id was used before with other content.
        """

    async def close_stuck(self, unheard_since_us: int) -> int:
        """Close the listed calls of which nothing was received since; return how many."""

    async def history(self, tenant_id: str | None, buckets: Buckets) -> Sequence[Bucket]:
        """Return every bucket, of all tenants together if `tenant_id` is None."""

    async def tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        """Return up to `limit` tenants whose ids come after `after`, sorted by id."""

    async def set_limit(self, tenant_id: str, max_concurrent_calls: int | None) -> Tenant:
        """Set or remove a tenant's limit and return the tenant, known or new."""

    def limit(self, tenant_id: str) -> int | None:
        """Return a tenant's limit, None if it has none."""

    async def drop_received_before(self, before_us: int) -> None:
        """Forget events received before `before_us` and the calls that need none of them."""

    async def work_out_peaks(self) -> int:
        """Work out peaks of past minutes and hours that changed; return how many."""
