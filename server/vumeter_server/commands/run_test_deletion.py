"""Deletion of run tests in a database file, beside a running server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from vumeter_server.simulation.sqlite import SqliteSimulationStore
from vumeter_server.simulation.store import SimulationContents
from vumeter_server.sqlite import Database


class SqliteRunTestAdministration:
    """Implements RunTestAdministration."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def contents(self, organization_id: int, names: Collection[str]) -> SimulationContents:
        """Return what `delete` would delete."""
        return self._with_store(lambda store: store.contents(organization_id, names))

    def delete(self, organization_id: int, names: Collection[str]) -> SimulationContents:
        """Delete run tests with their executions and calls."""

        async def delete(store: SqliteSimulationStore) -> SimulationContents:
            deleted = await store.delete_run_tests(organization_id, names)
            # No query finds their calls any more; this gives the space back.
            await store.finish_deletions()
            return deleted

        return self._with_store(delete)

    def _with_store(
        self, work: Callable[[SqliteSimulationStore], Coroutine[Any, Any, SimulationContents]]
    ) -> SimulationContents:
        writer, readers = self._database.writer(), self._database.readers()

        async def run() -> SimulationContents:
            return await work(SqliteSimulationStore(readers, writer))

        try:
            return asyncio.run(run())
        finally:
            writer.close()
            readers.close()
