"""Every store that `vumeter migrate` reads and writes, one after the other, with nothing in it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.clickhouse.places import PLACES, ClickHousePlace
from tests.conformance.migration.engines import Engine, SettableClock

from vumeter_server.runtime.store_address import SqliteAddress
from vumeter_server.store_migration.stores import MigrationStores
from vumeter_server.stores.migration_on_clickhouse import migration_stores
from vumeter_server.stores.migration_on_sqlite import sqlite_for_migration


def _on_file(path: Path, clock: SettableClock) -> Engine:
    address = SqliteAddress(path=path / "vumeter.db")
    return lambda: sqlite_for_migration(address, clock, is_target=True, is_alone=False)


def _on(place: Callable[[], ClickHousePlace]) -> Callable[[Path, SettableClock], Engine]:
    def engine(path: Path, clock: SettableClock) -> Engine:
        opened = place()

        @contextlib.asynccontextmanager
        async def opening() -> AsyncIterator[MigrationStores]:
            async with (
                opened.opened() as clickhouse,
                migration_stores(clickhouse, clock, name="tested", is_target=True) as stores,
            ):
                yield stores

        return opening

    return engine


ENGINES = {"sqlite": _on_file, **{name: _on(place) for name, place in PLACES.items()}}


@pytest.fixture
def clock() -> SettableClock:
    """The clock of the store."""
    return SettableClock()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: SettableClock) -> Engine:
    """A place that holds nothing yet."""
    return ENGINES[request.param](tmp_path, clock)


@pytest.fixture
async def stores(engine: Engine) -> AsyncIterator[MigrationStores]:
    """The stores, opened."""
    async with engine() as opened:
        yield opened
