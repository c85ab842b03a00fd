"""The database as commands open it, beside a running server or without one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import click

from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.actors import by_command
from vumeter_server.runtime.settings import DEFAULT_DB
from vumeter_server.runtime.store_address import (
    SqliteAddress,
    StoreAddress,
    parse_store_address,
)
from vumeter_server.sqlite import Database, DatabaseError, open_database
from vumeter_server.sqlite.database import damaged_file


def store_address(db: Path | None) -> StoreAddress:
    """Return the file `db`, else what VUMETER_STORE or VUMETER_DB names, else the default."""
    if db is not None:
        return SqliteAddress(path=db)
    # Only these settings are read: a command needs no valid port or token.
    file, store = os.environ.get("VUMETER_DB"), os.environ.get("VUMETER_STORE")
    if not store:
        return SqliteAddress(path=Path(file) if file else DEFAULT_DB)
    try:
        address = parse_store_address(store)
    except ValueError as error:
        raise click.ClickException(f"VUMETER_STORE: {error}") from error
    if file and address != SqliteAddress(path=Path(file)):
        raise click.ClickException(
            "VUMETER_STORE and VUMETER_DB name different stores: set one of them"
        )
    return address


def database_path(db: Path | None) -> Path:
    """Return the file that `store_address` names; that it is no file is one line and status 2."""
    address = store_address(db)
    if not isinstance(address, SqliteAddress):
        raise click.ClickException(
            "VUMETER_STORE names ClickHouse, and this command is for a file: give --db"
        )
    return address.path


@contextlib.contextmanager
def opened(db: Path | None, *, create: bool = False, hint: str = "") -> Iterator[Database]:
    """Open `db`, else the file that the environment names, else the default.

    `hint` says what to do if it does not exist.
    What is wrong with it, then or while it is used, becomes one line on stderr and status 2.
    """
    path = database_path(db)
    if hint and not create and not path.exists():
        raise click.ClickException(f"{path} does not exist; {hint}")
    with using(path):
        yield open_database(path, create=create)


@contextlib.contextmanager
def using(path: Path) -> Iterator[None]:
    """Name the running command in the audit; what is wrong with a file is one line and status 2."""
    try:
        with by_command(click.get_current_context().command_path):
            yield
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except StorageDamaged as error:
        raise click.ClickException(str(damaged_file(path, error))) from error
