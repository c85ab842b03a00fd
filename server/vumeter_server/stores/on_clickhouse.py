"""All stores on a ClickHouse cluster."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from vumeter_server.access.clickhouse.audit import ClickHouseAuditLog
from vumeter_server.access.clickhouse.migration import last_entry
from vumeter_server.access.clickhouse.sign_in import ClickHouseSignInCodes
from vumeter_server.access.clickhouse.store import (
    ClickHouseDeletedOrganizations,
    ClickHouseKeyLookup,
)
from vumeter_server.clickhouse.clock_record import ClickHouseClockRecordStore
from vumeter_server.clickhouse.http import QUERY_SECONDS
from vumeter_server.clickhouse.observed import ObservedClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.live_metrics.clickhouse import ClickHouseLiveStore
from vumeter_server.otlp.clickhouse import ClickHouseExportStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.clock_guard import ClockGuard
from vumeter_server.runtime.damage import Damage
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.store_address import ClickHouseAddress
from vumeter_server.simulation.clickhouse import ClickHouseSimulationStore
from vumeter_server.store_migration.state import check_may_serve
from vumeter_server.stores.opened import LiveStores, MetricStores, OpenedStores
from vumeter_server.telemetry import readings
from vumeter_server.telemetry.instruments import Instruments


@contextlib.asynccontextmanager
async def opened_cluster(
    settings: Settings,
    address: ClickHouseAddress,
    password: str,
    clock: Clock,
    instruments: Instruments,
) -> AsyncIterator[OpenedStores]:
    """Open the cluster; any number of servers may."""
    # What callers ask for is cancelled when its time is up. A start and recording have longer.
    query_seconds = max(settings.query_timeout_seconds, QUERY_SECONDS)
    async with (
        opened_clickhouse(address, password, query_seconds=query_seconds) as opened,
        contextlib.AsyncExitStack() as closing,
    ):
        damage = Damage()
        clickhouse = ObservedClickHouse(opened, damage)
        check_may_serve(await last_entry(clickhouse, "migration"))
        deleted = ClickHouseDeletedOrganizations(clickhouse, clock)
        audit = ClickHouseAuditLog(clickhouse, clock)

        async def custom_metrics(guard: ClockGuard) -> MetricStores:
            store = ClickHouseMetricStore(
                clickhouse,
                clock,
                audit=audit,
                retention_days=settings.retention_days,
                deletion_us=guard.deletion_us,
                is_deleted=deleted.is_deleted,
            )
            exports = ClickHouseExportStore(store.log, clock, damage)
            return MetricStores(
                store=store,
                usage=store.usage,
                exports=exports,
                background=() if settings.writer_address else (store.run,),
                recorded=(store, exports),
            )

        async def live_metrics(epoch_id: str, since_us: int) -> LiveStores:
            store = await ClickHouseLiveStore.open(clickhouse, clock, epoch_id, since_us)
            closing.push_async_callback(store.close)
            return LiveStores(store=store, background=(store.keep_up, store.keep_present))

        found = await clickhouse.query("SELECT version() AS version")
        version = str(found.column("version")[0].as_py())
        yield OpenedStores(
            version=f"ClickHouse {version}",
            build={"clickhouse_version": version},
            keys=ClickHouseKeyLookup(clickhouse),
            audit=audit,
            deleted=deleted,
            sign_in=lambda guard: ClickHouseSignInCodes(clickhouse, clock, guard.deletion_us),
            clock_records=ClickHouseClockRecordStore(clickhouse),
            custom_metrics=custom_metrics,
            live_metrics=live_metrics,
            simulation=ClickHouseSimulationStore(clickhouse, instruments.recorded_calls.inc),
            is_damaged=lambda: damage.is_met,
            read={readings.STORAGE_DAMAGED: damage.by_table},
        )
