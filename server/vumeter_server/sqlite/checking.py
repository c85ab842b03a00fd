"""Checks of the file itself, which hold for every table: part by part, however damaged it is."""

from __future__ import annotations

from collections.abc import Iterator

from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.library import sqlite3


def as_far_as_it_goes(part: str, problems: Iterator[str]) -> Iterator[str]:
    """Yield what a check finds; where it cannot go on, that is its last problem."""
    try:
        yield from problems
    except Exception as error:  # what damaged rows lead to is not foreseen
        detail = error.detail if isinstance(error, StorageDamaged) else str(error)
        yield f"{part}: cannot be read further: {detail or type(error).__name__}"


def find_damage(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what SQLite finds wrong, and the tables of which not every row can be read."""
    yield from as_far_as_it_goes("SQLite", _integrity(connection))
    yield from as_far_as_it_goes("foreign keys", _foreign_keys(connection))
    tables: list[str] = []

    def list_tables() -> Iterator[str]:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        tables.extend(name for (name,) in rows)
        yield from ()

    yield from as_far_as_it_goes("sqlite_schema", list_tables())
    for table in sorted(tables):
        yield from as_far_as_it_goes(table, _rows_of(connection, table))


def _integrity(connection: sqlite3.Connection) -> Iterator[str]:
    for (lines,) in connection.execute("PRAGMA integrity_check"):
        if lines != "ok":
            # One row may have several lines.
            yield "SQLite: " + str(lines).replace("\n", "; ")


def _foreign_keys(connection: sqlite3.Connection) -> Iterator[str]:
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"{table}: row {row} refers to nothing in {parent}"


def _rows_of(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    # Text is decoded only when it is read; the name is one of the schema's own.
    for _ in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608
        pass
    yield from ()
