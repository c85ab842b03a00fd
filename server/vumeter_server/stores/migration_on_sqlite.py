"""A SQLite file as the source or the target of a migration."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from vumeter_server.access.sqlite.migration import SqliteAccessMigration
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest.exported import ExportRecorder
from vumeter_server.demo.sqlite import SqliteDemoMigration
from vumeter_server.live_metrics.sqlite.migration import (
    SqliteLiveMigrationSource,
    SqliteLiveMigrationTarget,
)
from vumeter_server.otlp.sqlite import SqliteExportStore
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.store_address import SqliteAddress
from vumeter_server.simulation.sqlite import SqliteSimulationStore
from vumeter_server.sqlite import open_database
from vumeter_server.store_migration.stores import MigrationStores


@contextlib.asynccontextmanager
async def sqlite_for_migration(
    address: SqliteAddress, clock: Clock, *, is_target: bool, is_alone: bool
) -> AsyncIterator[MigrationStores]:
    """Open a file; a target is created, and `is_alone` keeps servers from it.

    Raises DatabaseError, also if a server has the file and `is_alone` is asked for.
    """
    database = open_database(address.path, create=is_target)
    claim = database.lock_for_serving() if is_alone else None
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, clock)

    async def settle() -> None:
        if is_target:
            await store.maintenance.flush()

    try:
        yield MigrationStores(
            name=f"sqlite:///{address.path.resolve()}",
            access=SqliteAccessMigration(readers, writer, clock),
            points=store,
            metrics=store.migration,
            exports=SqliteExportStore(
                writer, readers, ExportRecorder(store.recorder), deletion_us=clock
            ),
            simulation=SqliteSimulationStore(readers, writer),
            live=SqliteLiveMigrationSource(readers),
            live_target=await SqliteLiveMigrationTarget.open(writer, readers)
            if is_target
            else None,
            demo=SqliteDemoMigration(readers, writer),
            settle=settle,
        )
    finally:
        await asyncio.to_thread(writer.close)
        await asyncio.to_thread(readers.close)
        if claim is not None:
            os.close(claim)
