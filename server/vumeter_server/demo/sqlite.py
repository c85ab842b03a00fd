"""Which demo data a database was given, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping

from vumeter_server.demo.record import DemoState, Loading, begun
from vumeter_server.sqlite import Database, Readers, Writer
from vumeter_server.sqlite.library import sqlite3


class SqliteDemoRecord:
    """Implements DemoRecord. A file has one server, so it is always its turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, family: str, now_us: int, *, extends: bool) -> Loading | None:
        """Note that a family's data is begun, unless it was before; return what is to be loaded."""

        def job(connection: sqlite3.Connection) -> Loading | None:
            state = begun(_read(connection).get(family), now_us, extends=extends)
            if state is None:
                return None
            _put(connection, family, state)
            return state.loading

        return self._database.write(job)

    def finish(self, family: str, now_us: int, *, until_us: int) -> None:
        """Note that a family's data is there, or is given up, until `until_us`."""
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE demo_data SET finished_us = ?, begun_us = ? WHERE family = ?",
                (now_us, until_us, family),
            )
        )

    def take_turn(self, turn: str) -> bool:
        """Return True."""
        return True

    def give_up_turn(self, turn: str) -> None:
        """Do nothing."""


class SqliteDemoMigration:
    """Implements DemoMigrationStore."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def states(self) -> Mapping[str, DemoState]:
        """Return the state of each family that has one."""
        return await self._readers.run(_read)

    async def put_state(self, family: str, state: DemoState) -> None:
        """Make a family's state what is given."""
        await self._writer.run(lambda connection: _put(connection, family, state))


def _read(connection: sqlite3.Connection) -> dict[str, DemoState]:
    return {
        family: DemoState(begun_us=begun_us, finished_us=finished_us, from_us=from_us)
        for family, begun_us, finished_us, from_us in connection.execute(
            "SELECT family, begun_us, finished_us, from_us FROM demo_data"
        )
    }


def _put(connection: sqlite3.Connection, family: str, state: DemoState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO demo_data (family, begun_us, finished_us, from_us)"
        " VALUES (?, ?, ?, ?)",
        (family, state.begun_us, state.finished_us, state.from_us),
    )
