"""Which demo data a database was given, in SQLite."""

from __future__ import annotations

from vumeter_server.sqlite import Database
from vumeter_server.sqlite.library import sqlite3


class SqliteDemoRecord:
    """Remembers for each family when its demo data was begun and finished."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, family: str, now_us: int) -> int | None:
        """Note that a family's data is begun, unless it was before.

        Returns when it was begun, None if it is finished.
        """

        def job(connection: sqlite3.Connection) -> int | None:
            connection.execute(
                "INSERT INTO demo_data (family, begun_us) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (family, now_us),
            )
            begun_us, finished_us = connection.execute(
                "SELECT begun_us, finished_us FROM demo_data WHERE family = ?", (family,)
            ).fetchone()
            return int(begun_us) if finished_us is None else None

        return self._database.write(job)

    def finish(self, family: str, now_us: int) -> None:
        """Note that a family's data is there, so that no start adds to it."""
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE demo_data SET finished_us = ? WHERE family = ?", (now_us, family)
            )
        )
