"""How a test opens each store of live metrics; the only place that names one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.clickhouse.places import PLACES, ClickHousePlace
from tests.conformance.failing import Failure, memory_failures
from tests.conformance.live_metrics.memory import MemoryLiveStore
from tests.conformance.live_metrics.records import Records
from tests.live_metrics.stores import SetClock
from tests.live_metrics.stores import ground as sqlite_ground

from vumeter_server.live_metrics.clickhouse import ClickHouseLiveStore
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.store import LiveStore


class Storage(Protocol):
    """Where stores are opened one after another, each finding what the one before left."""

    @property
    def clock(self) -> SetClock:
        """The clock of its stores."""

    @property
    def failures(self) -> Mapping[str, Failure]:
        """How the storage of the open store fails, by name."""

    def store(
        self, epoch_id: str = "epoch-1", counted_from_us: int = 0
    ) -> AbstractAsyncContextManager[tuple[LiveStore, LiveView]]:
        """Open a store, with the live view of it.

        An epoch that was there before keeps its own `counted_from_us`.
        """


@dataclass
class Memory:
    """Storage for the store in memory."""

    records: Records = field(default_factory=Records)
    clock: SetClock = field(default_factory=SetClock)

    @property
    def failures(self) -> Mapping[str, Failure]:
        def set_unavailable(is_unavailable: bool) -> None:
            self.records.is_unavailable = is_unavailable

        return memory_failures(set_unavailable)

    @asynccontextmanager
    async def store(
        self, epoch_id: str = "epoch-1", counted_from_us: int = 0
    ) -> AsyncIterator[tuple[MemoryLiveStore, LiveView]]:
        store = MemoryLiveStore(self.records, self.clock, epoch_id, counted_from_us)
        yield store, await LiveView.of(store)


@dataclass
class ClickHouseGround:
    """A database of ClickHouse and a clock."""

    place: ClickHousePlace
    clock: SetClock = field(default_factory=SetClock)

    @property
    def failures(self) -> Mapping[str, Failure]:
        return self.place.failures

    @asynccontextmanager
    async def store(
        self, epoch_id: str = "epoch-1", counted_from_us: int = 0
    ) -> AsyncIterator[tuple[ClickHouseLiveStore, LiveView]]:
        async with self.place.opened() as clickhouse:
            store = await ClickHouseLiveStore.open(
                clickhouse, self.clock, epoch_id, counted_from_us
            )
            yield store, await LiveView.of(store)
            await store.close()


Factory = Callable[[Path], Storage]


def _on(place: Callable[[], ClickHousePlace]) -> Factory:
    return lambda _: ClickHouseGround(place())


FACTORIES: dict[str, Factory] = {
    "memory": lambda _: Memory(),
    "sqlite": sqlite_ground,
    **{name: _on(place) for name, place in PLACES.items()},
}
"""By name: opens empty storage in an empty directory."""
