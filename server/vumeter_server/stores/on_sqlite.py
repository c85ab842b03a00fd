"""All stores on a SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

from vumeter_server.access.sqlite.audit import SqliteAuditLog
from vumeter_server.access.sqlite.deleted_organizations import SqliteDeletedOrganizations
from vumeter_server.access.sqlite.migration import last_entry
from vumeter_server.access.sqlite.sign_in import SqliteSignInCodes
from vumeter_server.access.sqlite.store import SqliteKeyLookup
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest.exported import ExportRecorder
from vumeter_server.live_metrics.sqlite import SqliteLiveStore
from vumeter_server.live_metrics.sqlite.state import Epoch
from vumeter_server.otlp.sqlite import SqliteExportStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.clock_guard import ClockGuard
from vumeter_server.runtime.settings import Settings
from vumeter_server.simulation.sqlite import SqliteSimulationStore
from vumeter_server.sqlite import SQLITE_VERSION, open_database
from vumeter_server.sqlite.clock_record import SqliteClockRecordStore
from vumeter_server.store_migration.state import check_may_serve
from vumeter_server.stores.opened import LiveStores, MetricStores, OpenedStores
from vumeter_server.telemetry import readings
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import Gauge, Read


@contextlib.asynccontextmanager
async def opened_sqlite(
    settings: Settings,
    clock: Clock,
    instruments: Instruments,
    on_progress: Callable[[int, int], None],
) -> AsyncIterator[OpenedStores]:
    """Open the file; the process that writes holds it until the end."""
    writes = not settings.writer_address
    database = open_database(settings.db)
    if writes:
        check_may_serve(database.read(lambda connection: last_entry(connection, "migration")))
    claim = database.lock_for_serving() if writes else None
    writer, readers = (
        database.writer(instruments if settings.has_own_metrics else None),
        database.readers(),
    )

    async def custom_metrics(guard: ClockGuard) -> MetricStores:
        store = SqliteMetricStore(
            writer,
            readers,
            clock,
            retention_days=settings.retention_days,
            flush_at_points=settings.flush_at_points,
            deletion_us=guard.deletion_us,
        )
        if writes:
            await store.upgrade(on_progress)
        exports = SqliteExportStore(
            writer, readers, ExportRecorder(store.recorder), deletion_us=guard.deletion_us
        )
        return MetricStores(
            store=store,
            usage=store.usage,
            exports=exports,
            background=(store.run, exports.run) if writes else (),
            recorded=(store, exports),
            read=_read_metrics(store, writes=writes),
        )

    async def live_metrics(epoch_id: str, since_us: int) -> LiveStores:
        epoch = Epoch(epoch_id, since_us)
        return LiveStores(store=await SqliteLiveStore.open(writer, readers, clock, epoch))

    read: dict[Gauge, Read] = {
        readings.WRITER_QUEUE: lambda: writer.queue_length,
        readings.READER_QUEUE: readers.waiting,
        readings.STORAGE_DAMAGED: database.damage.by_table,
    }
    if writes:
        read |= {
            readings.DATABASE_BYTES: database.size_bytes,
            readings.WAL_BYTES: database.wal_bytes,
            readings.DISK_FREE_BYTES: database.free_bytes,
        }
    try:
        yield OpenedStores(
            version=SQLITE_VERSION,
            build={"sqlite_version": SQLITE_VERSION},
            keys=SqliteKeyLookup(readers, writer),
            audit=SqliteAuditLog(writer, clock),
            deleted=SqliteDeletedOrganizations(readers, writer, clock),
            sign_in=lambda guard: SqliteSignInCodes(readers, writer, clock, guard.deletion_us),
            clock_records=SqliteClockRecordStore(readers, writer),
            custom_metrics=custom_metrics,
            live_metrics=live_metrics,
            simulation=SqliteSimulationStore(readers, writer, instruments.recorded_calls.inc),
            is_damaged=lambda: database.damage.is_met,
            read=read,
        )
    finally:
        await asyncio.to_thread(writer.close)
        await asyncio.to_thread(readers.close)
        if claim is not None:
            os.close(claim)


def _read_metrics(store: SqliteMetricStore, *, writes: bool) -> dict[Gauge, Read]:
    def cache_bytes() -> dict[str, float]:
        sizes = store.cache_sizes()
        return {"organizations": sizes.entry_bytes, "point_sums": sizes.point_sum_bytes}

    read: dict[Gauge, Read] = {
        readings.CACHE_BYTES: cache_bytes,
        readings.CACHED_ORGANIZATIONS: lambda: store.cache_sizes().organizations,
    }
    if writes:
        lag = store.maintenance.lag
        read |= {
            readings.FLUSH_LAG_SECONDS: lag.seconds,
            readings.FLUSH_DUE_POINTS: lambda: lag.points,
        }
    return read
