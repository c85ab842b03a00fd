"""A ClickHouse server or cluster as the source or the target of a migration."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from vumeter_server.access.clickhouse.migration import ClickHouseAccessMigration
from vumeter_server.access.clickhouse.store import ClickHouseDeletedOrganizations
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.clickhouse.migration import ClickHouseMetricMigration
from vumeter_server.demo.clickhouse import ClickHouseDemoMigration
from vumeter_server.live_metrics.clickhouse.migration import (
    ClickHouseLiveMigrationSource,
    ClickHouseLiveMigrationTarget,
)
from vumeter_server.otlp.clickhouse import ClickHouseExportStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.store_address import ClickHouseAddress
from vumeter_server.simulation.clickhouse import ClickHouseSimulationStore
from vumeter_server.store_migration.stores import MigrationStores


@contextlib.asynccontextmanager
async def clickhouse_for_migration(
    address: ClickHouseAddress, password: str, clock: Clock, *, is_target: bool
) -> AsyncIterator[MigrationStores]:
    """Open a store, with the tables of this version. Raises StartError as `opening` does."""
    async with (
        opened_clickhouse(address, password) as clickhouse,
        migration_stores(clickhouse, clock, name=_name_of(address), is_target=is_target) as stores,
    ):
        yield stores


@contextlib.asynccontextmanager
async def migration_stores(
    clickhouse: ClickHouse, clock: Clock, *, name: str, is_target: bool
) -> AsyncIterator[MigrationStores]:
    """Open the stores of a database that is open."""
    deleted = ClickHouseDeletedOrganizations(clickhouse, clock)
    store = ClickHouseMetricStore(clickhouse, clock, is_deleted=deleted.is_deleted)

    async def settle() -> None:
        """ClickHouse merges by itself; what is deleted is removed by the servers."""

    live_target = ClickHouseLiveMigrationTarget.opened(clickhouse) if is_target else None
    async with live_target or contextlib.nullcontext() as writing:
        yield MigrationStores(
            name=name,
            access=ClickHouseAccessMigration(clickhouse, clock),
            points=store,
            metrics=ClickHouseMetricMigration(clickhouse, store.log, store.deletion, clock),
            exports=ClickHouseExportStore(store.log, clock),
            simulation=ClickHouseSimulationStore(clickhouse),
            live=ClickHouseLiveMigrationSource(clickhouse),
            live_target=writing,
            demo=ClickHouseDemoMigration(clickhouse),
            settle=settle,
        )


def _name_of(address: ClickHouseAddress) -> str:
    hosts = ",".join(sorted(map(str, address.hosts)))
    cluster = f"?cluster={address.cluster}" if address.cluster else ""
    return f"clickhouse://{hosts}/{address.database}{cluster}"
