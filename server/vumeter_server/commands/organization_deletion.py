"""Deletion of an organization in a database file, beside a running server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from vumeter_server.access.erasure import Erasure
from vumeter_server.access.sqlite.deleted_organizations import SqliteDeletedOrganizations
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.commands.deleting import finished
from vumeter_server.commands.organization_contents import (
    OrganizationContents,
    count_contents,
    count_keys,
)
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest.exported import ExportRecorder
from vumeter_server.otlp.sqlite import SqliteExportStore
from vumeter_server.runtime.clock import system_clock
from vumeter_server.simulation.sqlite import SqliteSimulationStore
from vumeter_server.sqlite import Database, Readers, Writer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stores:
    metrics: SqliteMetricStore
    exports: SqliteExportStore
    simulation: SqliteSimulationStore
    erasure: Erasure


class SqliteOrganizationDeletion:
    """Implements OrganizationDeletion."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._administration = SqliteKeyAdministration(database)

    def count(self, organization: str, organization_id: int) -> OrganizationContents:
        """Count what goes with an organization."""
        keys = count_keys(self._administration, organization)
        return self._with_stores(
            lambda stores: count_contents(keys, stores.metrics, stores.simulation, organization_id)
        )

    def delete(self, organization: str) -> bool:
        """Delete an organization, and wait until nothing is left; False if there is none."""
        organization_id = self._administration.delete_organization(organization)
        if organization_id is None:
            return False
        return finished(
            self._database,
            lambda: self._administration.is_erased(organization_id) or None,
            lambda: self._with_stores(lambda stores: stores.erasure.erase_all()),
        )

    def _with_stores(self, work: Callable[[_Stores], Awaitable[T]]) -> T:
        writer, readers = self._database.writer(), self._database.readers()

        async def run() -> T:
            return await work(_stores(writer, readers))

        try:
            return asyncio.run(run())
        finally:
            writer.close()
            readers.close()


def _stores(writer: Writer, readers: Readers) -> _Stores:
    metrics = SqliteMetricStore(writer, readers, system_clock)
    exports = SqliteExportStore(
        writer, readers, ExportRecorder(metrics.recorder), deletion_us=system_clock
    )
    simulation = SqliteSimulationStore(readers, writer)
    deleted = SqliteDeletedOrganizations(readers, writer, system_clock)
    return _Stores(
        metrics=metrics,
        exports=exports,
        simulation=simulation,
        erasure=Erasure(deleted, [metrics, exports, simulation]),
    )
