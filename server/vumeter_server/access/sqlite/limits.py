"""Limits of organizations in SQLite, changed by the command beside a running server."""

from __future__ import annotations

from collections.abc import Mapping

from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, audit
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import organization_id_of


class SqliteLimitAdministration:
    """Implements LimitAdministration on a database file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def limits(self, organization: str) -> Mapping[str, int] | None:
        """Return the limits that an organization has of its own; None if there is none so named."""

        def query(connection: sqlite3.Connection) -> Mapping[str, int] | None:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None:
                return None
            rows = connection.execute(
                "SELECT name, value FROM organization_limits WHERE organization_id = ?",
                (organization_id,),
            )
            return dict(rows.fetchall())

        return self._database.read(query)

    def change_limits(self, organization: str, changed: Mapping[str, int | None]) -> bool:
        """Change some limits, None for the default; False if there is no such organization."""

        def job(connection: sqlite3.Connection) -> bool:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None:
                return False
            connection.executemany(
                "DELETE FROM organization_limits WHERE organization_id = ? AND name = ?",
                [(organization_id, name) for name in changed],
            )
            connection.executemany(
                "INSERT INTO organization_limits (organization_id, name, value) VALUES (?, ?, ?)",
                [
                    (organization_id, name, value)
                    for name, value in changed.items()
                    if value is not None
                ],
            )
            audit.append(
                connection,
                system_clock(),
                "limits.set",
                organization_id=organization_id,
                details=changed,
            )
            return True

        return self._database.write(job)
