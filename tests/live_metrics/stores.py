"""A live store on a file of its own, a clock that tests set, and how its answers compare."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.conformance.failing import Failure, sqlite_failures

from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.sqlite import SqliteLiveStore
from vumeter_server.live_metrics.sqlite.state import Epoch
from vumeter_server.live_metrics.store import LiveStore
from vumeter_server.sqlite import open_database

NINE = 1_743_498_000_000_000  # 2025-04-01T09:00:00Z
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


@dataclass
class SetClock:
    """A clock that stands where a test puts it."""

    now_us: int = NINE + HOUR

    def __call__(self) -> int:
        return self.now_us


@dataclass
class Ground:
    """A database file and a clock on which one store after another is opened.

    Attributes:
        failures: how the storage of the open store fails, by name.
    """

    path: Path
    clock: SetClock = field(default_factory=SetClock)
    failures: Mapping[str, Failure] = field(default_factory=dict)

    @asynccontextmanager
    async def store(
        self, epoch_id: str = "epoch-1", counted_from_us: int = 0
    ) -> AsyncIterator[tuple[SqliteLiveStore, LiveView]]:
        """Open a store, with the live view of it."""
        database = open_database(self.path)
        writer, readers = database.writer(), database.readers()
        self.failures = sqlite_failures(writer, self.path)
        try:
            store = await SqliteLiveStore.open(
                writer, readers, self.clock, Epoch(epoch_id, counted_from_us)
            )
            yield store, await LiveView.of(store)
        finally:
            writer.close()
            readers.close()


@cache
def _migrated() -> Path:
    path = Path(tempfile.mkdtemp(prefix="vumeter-live-")) / "template.db"
    open_database(path)
    return path


def ground(directory: Path) -> Ground:
    """Return a new, empty database in `directory`."""
    path = directory / "vumeter.db"
    shutil.copy(_migrated(), path)
    return Ground(path)


def totals(view: LiveView, tenant_id: str | None = None) -> dict[str, int]:
    return dict(zip(COLUMNS, view.values(tenant_id).totals, strict=True))


def lists(view: LiveView) -> dict[str, tuple[str, str]]:
    """Listed calls with their tenant and the list that says most."""
    capacity = view.capacity()
    found = {call: (tenant, "pending") for call, tenant in capacity.pending}
    found |= {call: (tenant, "accepted") for call, tenant in capacity.accepted}
    return found | {call: (tenant, "active") for call, tenant in capacity.active}


def live(view: LiveView) -> object:
    """Everything that a view shows, to be compared."""
    capacity = view.capacity()
    tenants = sorted({tenant for _, tenant in (*capacity.accepted, *capacity.pending)})
    return {
        "active": capacity.active,
        "accepted": capacity.accepted,
        "pending": capacity.pending,
        "values": {
            tenant: (totals(view, tenant), view.values(tenant).active_calls)
            for tenant in (None, "clinic", "garage", *tenants)
        },
        "limits": {tenant: view.limit(tenant) for tenant in ("clinic", "garage", *tenants)},
    }


async def history(
    store: LiveStore, tenant_id: str | None, start: int, end: int, step: int
) -> list[dict[str, int]]:
    buckets = Buckets(start_us=start, end_us=end, step_us=step)
    return [as_row(bucket) for bucket in await store.history(tenant_id, buckets)]


def as_row(bucket: Bucket) -> dict[str, int]:
    return {
        "start_us": bucket.start_us,
        **dict(zip(COLUMNS, bucket.counted, strict=True)),
        "active_calls": bucket.active_calls,
        "peak_active_calls": bucket.peak_active_calls,
    }


__all__ = [
    "HOUR",
    "MINUTE",
    "NINE",
    "SECOND",
    "CallStage",
    "Ground",
    "ground",
    "history",
    "lists",
    "live",
]
