"""The database as commands open it, beside a running server or without one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.actors import by_command
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.store_address import SqliteAddress, parse_store_address
from vumeter_server.sqlite import Database, DatabaseError, audit, open_database
from vumeter_server.sqlite.database import damaged_file


def database_path(db: Path | None) -> Path:
    """Return `db`, else the file that VUMETER_STORE or VUMETER_DB names, else the default."""
    # Only these settings are read: a command needs no valid port or token.
    store = os.environ.get("VUMETER_STORE")
    if db is None and store:
        try:
            address = parse_store_address(store)
        except ValueError as error:
            raise click.ClickException(f"VUMETER_STORE: {error}") from None
        if not isinstance(address, SqliteAddress):
            raise click.ClickException(
                "VUMETER_STORE names ClickHouse, and this command is for a file: give --db"
            )
        return address.path
    return db or Path(os.environ.get("VUMETER_DB") or Settings.model_fields["db"].default)


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


def note(
    database: Database,
    action: str,
    *,
    organization_id: int | None = None,
    target: str = "",
    **details: Any,
) -> None:
    """Add to the audit what the command is about to do in many transactions."""
    database.write(
        lambda connection: audit.append(
            connection,
            system_clock(),
            action,
            organization_id=organization_id,
            target=target,
            details=details,
        )
    )


def known_organization(database: Database, name: str) -> int:
    """Return the number of an organization; that there is none is one line and status 2."""
    organization_id = SqliteKeyAdministration(database).organization_id(name)
    if organization_id is None:
        raise click.ClickException(f"there is no organization {name}")
    return organization_id
