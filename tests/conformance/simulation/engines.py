"""The stores that have to keep the contract, and how a test opens one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from tests.clickhouse.places import PLACES, ClickHousePlace
from tests.conformance.failing import Failure, memory_failures, sqlite_failures
from tests.conformance.simulation.memory_store import MemorySimulationStore

from vumeter_server.simulation.clickhouse import ClickHouseSimulationStore
from vumeter_server.simulation.sqlite import SqliteSimulationStore
from vumeter_server.simulation.store import SimulationStore
from vumeter_server.sqlite import Database, open_database

ACME, RIVAL = 1, 2


class Engine(Protocol):
    """A place that keeps data, for the organizations ACME and RIVAL."""

    def opened(self) -> AbstractAsyncContextManager[SimulationStore]:
        """Open the store with all that was recorded before; its maintenance runs."""

    @property
    def failures(self) -> Mapping[str, Failure]:
        """How the storage of the open store fails, by name."""


class MemoryEngine:
    """Keeps its store from one opening to the next."""

    def __init__(self, directory: Path) -> None:
        self._store = MemorySimulationStore()
        self.failures = memory_failures(self._store.set_unavailable)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[SimulationStore]:
        async with maintained(self._store):
            yield self._store


class SqliteEngine:
    """Keeps a database in a directory."""

    failures: Mapping[str, Failure]

    def __init__(self, directory: Path) -> None:
        self.database: Database = open_database(directory / "vumeter.db")
        self.database.write(
            lambda connection: connection.executemany(
                "INSERT INTO organizations (organization_id, name, created_us) VALUES (?, ?, 0)",
                [(ACME, "acme"), (RIVAL, "rival")],
            )
        )

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[SqliteSimulationStore]:
        writer, readers = self.database.writer(), self.database.readers()
        self.failures = sqlite_failures(writer, self.database.path)
        store = SqliteSimulationStore(readers, writer)
        try:
            async with maintained(store):
                yield store
        finally:
            writer.close()
            readers.close()


class ClickHouseEngine:
    """Keeps a database of ClickHouse."""

    def __init__(self, place: Callable[[], ClickHousePlace]) -> None:
        self._place = place()
        self.failures = self._place.failures

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[SimulationStore]:
        async with self._place.opened() as clickhouse:
            store = ClickHouseSimulationStore(clickhouse)
            async with maintained(store):
                yield store


def _on(place: Callable[[], ClickHousePlace]) -> Callable[[Path], Engine]:
    return lambda directory: ClickHouseEngine(place)


@contextlib.asynccontextmanager
async def maintained(store: SimulationStore) -> AsyncIterator[None]:
    """Run a store's maintenance meanwhile; it may not end by itself."""
    maintenance = asyncio.create_task(store.run_maintenance())
    try:
        yield
        assert not maintenance.done()
    finally:
        maintenance.cancel()
        await asyncio.gather(maintenance, return_exceptions=True)


ENGINES: Mapping[str, Callable[[Path], Engine]] = {
    "sqlite": SqliteEngine,
    "memory": MemoryEngine,
    **{name: _on(place) for name, place in PLACES.items()},
}
"""What the suite runs on; a new store is added here."""
