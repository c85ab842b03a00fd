"""Stores as a migration opens them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.clickhouse.chosen import CLUSTER_ID
from tests.clickhouse.in_process import in_process_clickhouse
from tests.clickhouse.places import shared_cluster
from tests.otlp.decoded import NOW_US

from vumeter_server.runtime.store_address import SqliteAddress
from vumeter_server.store_migration.stores import MigrationStores
from vumeter_server.stores.migration_on_clickhouse import migration_stores
from vumeter_server.stores.migration_on_sqlite import sqlite_for_migration

Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[MigrationStores]]


def now() -> int:
    """Stands for the clock: the time at which the sample is recorded."""
    return NOW_US


def opened_sqlite(path: Path) -> AbstractAsyncContextManager[MigrationStores]:
    """Open a file, which is created."""
    return sqlite_for_migration(SqliteAddress(path=path), now, is_target=True, is_alone=True)


@contextlib.asynccontextmanager
async def opened_clickhouse(kind: str) -> AsyncIterator[MigrationStores]:
    """Open an empty database of the engine in this process, or of a cluster."""
    opening = shared_cluster().clickhouse() if kind == CLUSTER_ID else in_process_clickhouse()
    async with (
        opening as clickhouse,
        migration_stores(
            clickhouse, now, name=clickhouse.layout.database, is_target=True
        ) as stores,
    ):
        yield stores


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[MigrationStores]:
    """An empty file."""
    async with opened_sqlite(tmp_path / "source.db") as stores:
        yield stores


@pytest.fixture(params=["sqlite", "clickhouse", CLUSTER_ID])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MigrationStores]:
    """An empty store of each kind."""
    opening = (
        opened_sqlite(tmp_path / "target.db")
        if request.param == "sqlite"
        else opened_clickhouse(request.param)
    )
    async with opening as stores:
        yield stores
