"""What the tests of backups and of restoring share."""

from __future__ import annotations

import stat
from pathlib import Path

import click
import pytest
from tests.commands.command import parsed, vumeter

from vumeter_server.cli import vumeter as commands
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.library import sqlite3

PAGE_BYTES = 4096


def new_database(directory: Path) -> Path:
    """Make a database of no server."""
    path = directory / "vumeter.db"
    vumeter("keys", "create", "--organization", "clinic", "--role", "owner", "--create", db=path)
    return path


def execute(path: Path, *statements: str) -> None:
    """Change a database of no server."""

    def job(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    open_database(path).write(job)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def audited(db: Path, action: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = parsed(
        vumeter("audit", "list", "--action", action, "--format", "json", db=db)
    )
    return listed


def refusal(*arguments: str, db: Path) -> str:
    """Return the one line with which a command refuses; in this process, which is quicker."""
    with pytest.raises(click.ClickException) as raised:
        commands.main([*arguments, "--db", str(db)], standalone_mode=False)
    message = raised.value.format_message()
    assert "\n" not in message
    return message


def lose_a_page(path: Path, table: str) -> None:
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(bytes(PAGE_BYTES))
