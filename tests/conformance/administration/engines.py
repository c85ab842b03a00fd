"""The stores that commands change, and how a test opens one that holds something of everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from tests.clickhouse.places import PLACES, ClickHousePlace
from tests.store_migration.conftest import now, opened_sqlite
from tests.store_migration.sample import fill

from vumeter_server.clickhouse.clock_record import ClickHouseClockRecordStore
from vumeter_server.commands.administration import Administration
from vumeter_server.commands.on_cluster import ClusterAdministration
from vumeter_server.commands.on_file import FileAdministration
from vumeter_server.runtime.clock_guard import ClockRecordStore
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.clock_record import SqliteClockRecordStore
from vumeter_server.stores.migration_on_clickhouse import migration_stores


class Engine(Protocol):
    """A store that holds what `sample.fill` records; no server runs."""

    @property
    def administration(self) -> Administration:
        """What commands do."""

    def clock_records(self) -> contextlib.AbstractAsyncContextManager[ClockRecordStore]:
        """Open the record of the clock as a server that starts has it."""


class FileEngine:
    """A database file."""

    def __init__(self, directory: Path) -> None:
        path = directory / "vumeter.db"

        async def filled() -> None:
            async with opened_sqlite(path) as stores:
                await fill(stores)

        asyncio.run(filled())
        self._database = open_database(path, create=False)
        self.administration = FileAdministration(self._database)

    @contextlib.asynccontextmanager
    async def clock_records(self) -> AsyncIterator[ClockRecordStore]:
        writer, readers = self._database.writer(), self._database.readers()
        try:
            yield SqliteClockRecordStore(readers, writer)
        finally:
            writer.close()
            readers.close()


class ClickHouseEngine:
    """A database of ClickHouse."""

    def __init__(self, place: ClickHousePlace) -> None:
        self._place = place

        async def filled() -> None:
            async with (
                place.opened() as clickhouse,
                migration_stores(clickhouse, now, name="filled", is_target=True) as stores,
            ):
                await fill(stores)

        asyncio.run(filled())
        self.administration = ClusterAdministration(place.blocking)

    @contextlib.asynccontextmanager
    async def clock_records(self) -> AsyncIterator[ClockRecordStore]:
        async with self._place.opened() as clickhouse:
            yield ClickHouseClockRecordStore(clickhouse)


def _on(place: Callable[[], ClickHousePlace]) -> Callable[[Path], Engine]:
    return lambda directory: ClickHouseEngine(place())


ENGINES: Mapping[str, Callable[[Path], Engine]] = {
    "sqlite": FileEngine,
    **{name: _on(place) for name, place in PLACES.items()},
}
"""What the suite runs on; a new store is added here."""
