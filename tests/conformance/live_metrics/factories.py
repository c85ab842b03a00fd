"""How a test opens each store of live metrics; the only place that names one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.conformance.live_metrics.memory import MemoryLiveStore, Records
from tests.live_metrics.stores import SetClock
from tests.live_metrics.stores import ground as sqlite_ground

from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.store import LiveStore


class Storage(Protocol):
    """Where stores are opened one after another, each finding what the one before left."""

    @property
    def clock(self) -> SetClock:
        """The clock of its stores."""

    def store(
        self, epoch_id: str = "epoch-1"
    ) -> AbstractAsyncContextManager[tuple[LiveStore, LiveView]]:
        """Open a store, with the live view of it."""


@dataclass
class Memory:
    """Storage for the store in memory."""

    records: Records = field(default_factory=Records)
    clock: SetClock = field(default_factory=SetClock)

    @asynccontextmanager
    async def store(
        self, epoch_id: str = "epoch-1"
    ) -> AsyncIterator[tuple[MemoryLiveStore, LiveView]]:
        store = MemoryLiveStore(self.records, self.clock, epoch_id)
        yield store, await LiveView.of(store)


Factory = Callable[[Path], Storage]

FACTORIES: dict[str, Factory] = {"memory": lambda _: Memory(), "sqlite": sqlite_ground}
"""By name: opens empty storage in an empty directory."""
