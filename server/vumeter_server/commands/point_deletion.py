"""Deletion of points by a command, beside a running server or without one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.sqlite.maintenance import deletion_rows
from vumeter_server.custom_metrics.sqlite.store import SqliteMetricStore
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, DatabaseError

T = TypeVar("T")

LOOKS_EVERY_SECONDS = 0.1


class SqlitePointAdministration:
    """Deletes and counts points of a database file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count_points(self, organization: str, query: DeleteQuery) -> int | None:
        """Count the points that a query is about; None if there is no such organization."""
        organization_id = self._organization_id(organization)
        if organization_id is None:
            return None
        return self._with_store(lambda store: store.count_points(organization_id, query))

    def delete_points(self, organization: str, query: DeleteQuery) -> int | None:
        """Delete points, all of them or none; None if there is no such organization.

        A running server does the work, and does it to the end whatever becomes of the command.
        """
        organization_id = self._organization_id(organization)
        if organization_id is None:
            return None
        try:
            claim = self._database.lock_for_serving()
        except DatabaseError:
            return self._wait_for_server(organization_id, query)
        try:
            return self._with_store(lambda store: store.delete_points(organization_id, query))
        finally:
            os.close(claim)

    def _wait_for_server(self, organization_id: int, query: DeleteQuery) -> int:
        number = self._database.write(
            lambda connection: deletion_rows.add(connection, organization_id, query, system_clock())
        )
        while True:
            found = self._database.read(
                lambda connection: deletion_rows.read(connection, organization_id, number)
            )
            if found is None:
                raise DatabaseError("the server gave the deletion up: its log says why")
            if found.deleted is not None:
                return found.deleted
            time.sleep(LOOKS_EVERY_SECONDS)

    def _organization_id(self, name: str) -> int | None:
        row = self._database.read(
            lambda connection: connection.execute(
                "SELECT organization_id FROM organizations WHERE name = ?", (name,)
            ).fetchone()
        )
        return None if row is None else int(row[0])

    def _with_store(self, work: Callable[[SqliteMetricStore], Coroutine[Any, Any, T]]) -> T:
        writer, readers = self._database.writer(), self._database.readers()
        try:
            return asyncio.run(work(SqliteMetricStore(writer, readers, system_clock)))
        finally:
            writer.close()
            readers.close()
