"""Deletion of points by a command, beside a running server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from vumeter_server.commands.deleting import finished
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.sqlite.maintenance import deletion_rows
from vumeter_server.custom_metrics.sqlite.store import SqliteMetricStore
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database, DatabaseError

T = TypeVar("T")


class SqlitePointAdministration:
    """Deletes and counts points of a database file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Count the points that a query is about."""
        return self._with_store(lambda store: store.count_points(organization_id, query))

    def delete_points(self, organization_id: int, query: DeleteQuery) -> int:
        """Delete points, all of them or none, and return how many.

        A running server does the work, and does it to the end whatever becomes of the command.
        """
        number = self._database.write(
            lambda connection: deletion_rows.add(connection, organization_id, query, system_clock())
        )

        def outcome() -> int | None:
            found = self._database.read(
                lambda connection: deletion_rows.read(connection, organization_id, number)
            )
            if found is None:
                raise DatabaseError("the deletion was given up: the log of the server says why")
            return found.deleted

        return finished(
            self._database,
            outcome,
            lambda: self._with_store(lambda store: store.maintenance.deletions.finish_all()),
        )

    def _with_store(self, work: Callable[[SqliteMetricStore], Coroutine[Any, Any, T]]) -> T:
        writer, readers = self._database.writer(), self._database.readers()
        try:
            return asyncio.run(work(SqliteMetricStore(writer, readers, system_clock)))
        finally:
            writer.close()
            readers.close()
