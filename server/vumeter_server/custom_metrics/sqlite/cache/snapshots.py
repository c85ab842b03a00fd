"""The caches of all organizations: where views and snapshots are made."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from vumeter_server.custom_metrics.sqlite.cache.organization import OrganizationCache
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import PointSumsCache
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.sqlite.library import sqlite3

__all__ = ["Snapshot", "Snapshots"]

# What the caches of all organizations may hold together, in entries of about 50 bytes, beside the
# point sums.
MAX_ENTRIES = 3_000_000


BYTES_PER_ENTRY = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheSizes:
    """How much is cached: exactly of point sums, by estimate of the rest."""

    organizations: int
    entry_bytes: int
    point_sum_bytes: int


class Snapshots:
    """The caches of every organization that was queried lately, shared by the reader threads.

    No other lock is taken while its own is held.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points = PointSumsCache()
        self._organizations: OrderedDict[int, OrganizationCache] = OrderedDict()

    def take(self, connection: sqlite3.Connection, organization_id: int) -> Snapshot:
        """Return the organization as `connection`'s read transaction sees it."""
        return self.organization(organization_id).take(connection)

    def forget(self, organization_id: int) -> None:
        """Throw away what is cached of an organization."""
        with self._lock:
            self._organizations.pop(organization_id, None)

    def sizes(self) -> CacheSizes:
        """Return how much is cached; any thread may ask."""
        with self._lock:
            organizations = list(self._organizations.values())
        return CacheSizes(
            organizations=len(organizations),
            entry_bytes=sum(map(_entries, organizations)) * BYTES_PER_ENTRY,
            point_sum_bytes=self._points.size_bytes,
        )

    def organization(self, organization_id: int) -> OrganizationCache:
        """Return the cache of an organization, an empty one if there was none."""
        with self._lock:
            organization = self._organizations.get(organization_id)
            if organization is None:
                entries = sum(each.entries for each in self._organizations.values())
                while entries > MAX_ENTRIES:
                    entries -= self._organizations.popitem(last=False)[1].entries
                organization = OrganizationCache(organization_id, self._points)
                self._organizations[organization_id] = organization
            self._organizations.move_to_end(organization_id)
            return organization


def _entries(organization: OrganizationCache) -> int:
    try:
        return organization.entries
    except RuntimeError:
        # It is being changed by another thread; the next answer has it.
        return 0
