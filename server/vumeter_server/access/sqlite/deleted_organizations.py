"""Deleted organizations in SQLite, until nothing is left of what they recorded."""

from __future__ import annotations

from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3


class SqliteDeletedOrganizations:
    """Implements DeletedOrganizations on a database's writer and readers."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    async def unerased(self) -> list[int]:
        """Return the deleted organizations of which something may be left."""
        return await self._readers.run(read_unerased)

    async def set_erased(self, organization_id: int) -> None:
        """Say that nothing is left of a deleted organization."""
        await self._writer.run(
            lambda connection: connection.execute(
                "UPDATE organizations SET erased_us = ? WHERE organization_id = ?",
                (self._clock(), organization_id),
            )
        )


def read_unerased(connection: sqlite3.Connection) -> list[int]:
    """Return the deleted organizations of which something may be left."""
    rows = connection.execute(
        "SELECT organization_id FROM organizations"
        " WHERE deleted_us IS NOT NULL AND erased_us IS NULL ORDER BY organization_id"
    )
    return [organization_id for (organization_id,) in rows]
