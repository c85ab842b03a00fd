"""Which demo data a database was given, in SQLite."""

from __future__ import annotations

from typing import NamedTuple

from vumeter_server.sqlite import Database
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.units import HOUR_US


class Loading(NamedTuple):
    """What is to be loaded: what happened before `begun_us`.

    `from_us` is when the data was begun that is there already; None if there is none.
    """

    begun_us: int
    from_us: int | None


class SqliteDemoRecord:
    """Remembers for each family up to when it has demo data."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, family: str, now_us: int, *, extends: bool) -> Loading | None:
        """Note that a family's data is begun, unless it was before; return what is to be loaded.

        Data that is there is to be extended once an hour has passed since, if `extends`. None if
        nothing is to be loaded.
        """

        def job(connection: sqlite3.Connection) -> Loading | None:
            row = connection.execute(
                "SELECT begun_us, finished_us, from_us FROM demo_data WHERE family = ?", (family,)
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO demo_data (family, begun_us) VALUES (?, ?)", (family, now_us)
                )
                return Loading(now_us, None)
            begun_us, finished_us, from_us = row
            if finished_us is None:
                return Loading(begun_us, from_us)
            if not extends or now_us // HOUR_US <= begun_us // HOUR_US:
                return None
            connection.execute(
                "UPDATE demo_data SET begun_us = ?, finished_us = NULL, from_us = ?"
                " WHERE family = ?",
                (now_us, begun_us, family),
            )
            return Loading(now_us, begun_us)

        return self._database.write(job)

    def finish(self, family: str, now_us: int, *, until_us: int) -> None:
        """Note that a family's data is there, or is given up, until `until_us`."""
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE demo_data SET finished_us = ?, begun_us = ? WHERE family = ?",
                (now_us, until_us, family),
            )
        )
