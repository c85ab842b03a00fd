"""Deletion of a tenant by a command, beside a running server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from vumeter_server.commands.deleting import finished
from vumeter_server.live_metrics.sqlite import SqliteLiveStore, deletion
from vumeter_server.live_metrics.sqlite.state import Epoch, last_epoch
from vumeter_server.live_metrics.store import TenantContents
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, DatabaseError

T = TypeVar("T")


class SqliteTenantAdministration:
    """Deletes and counts what tenants have in a database file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def contents(self, tenant_id: str) -> TenantContents | None:
        """Count what a tenant has; None if it is not known."""
        return self._database.read(lambda connection: deletion.count(connection, tenant_id))

    def delete(self, tenant_id: str) -> TenantContents:
        """Delete a tenant, and wait until nothing is left; return what it had.

        A running server does the work, and does it to the end whatever becomes of the command.
        """
        number = self._database.write(
            lambda connection: deletion.ask(connection, tenant_id, system_clock())
        )

        def outcome() -> TenantContents | None:
            found = self._database.read(lambda connection: deletion.read(connection, number))
            if found is None:
                raise DatabaseError("the deletion is no longer known: look whether it was done")
            return found.contents if found.is_done else None

        return finished(
            self._database, outcome, lambda: self._with_store(SqliteLiveStore.finish_deletions)
        )

    def _with_store(self, work: Callable[[SqliteLiveStore], Coroutine[Any, Any, T]]) -> T:
        # Totals stay those of the last service start, which may begin again.
        epoch_id = self._database.read(last_epoch)
        writer, readers = self._database.writer(), self._database.readers()

        async def run() -> T:
            return await work(
                await SqliteLiveStore.open(writer, readers, system_clock, Epoch(epoch_id))
            )

        try:
            return asyncio.run(run())
        finally:
            writer.close()
            readers.close()
