"""Mappings and rejections as the commands read and change them, beside a running server."""

from __future__ import annotations

from vumeter_server.otlp.mapping import AttributeMapping
from vumeter_server.otlp.sqlite.mappings import delete_mapping, read_mapping, write_mapping
from vumeter_server.otlp.sqlite.rejections import read_rejections
from vumeter_server.otlp.store import Rejections
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, audit
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import organization_id_of


class SqliteOtlpAdministration:
    """Implements OtlpAdministration on a database file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mapping(self, organization: str) -> AttributeMapping | None:
        """Return how an organization maps attributes; None if there is no such organization."""

        def query(connection: sqlite3.Connection) -> AttributeMapping | None:
            organization_id = organization_id_of(connection, organization)
            return None if organization_id is None else read_mapping(connection, organization_id)

        return self._database.read(query)

    def set_mapping(self, organization: str, mapping: AttributeMapping | None) -> bool:
        """Change a mapping, None for the default; False if there is no such organization."""

        def job(connection: sqlite3.Connection) -> bool:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None:
                return False
            if mapping is None:
                delete_mapping(connection, organization_id)
            else:
                write_mapping(connection, organization_id, mapping)
            audit.append(
                connection,
                system_clock(),
                "otlp.set_mapping" if mapping is not None else "otlp.reset_mapping",
                organization_id=organization_id,
            )
            return True

        return self._database.write(job)

    def rejections(self, organization: str) -> Rejections | None:
        """Return what was rejected; None if there is no such organization."""

        def query(connection: sqlite3.Connection) -> Rejections | None:
            organization_id = organization_id_of(connection, organization)
            return None if organization_id is None else read_rejections(connection, organization_id)

        return self._database.read(query)
