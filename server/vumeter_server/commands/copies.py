"""`vumeter backup` and `vumeter restore`: copies of the database, checked before they count."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from vumeter_server.access.sqlite.audit import SqliteAuditAdministration
from vumeter_server.commands.checking import find_problems
from vumeter_server.commands.database import database_path, using
from vumeter_server.commands.options import db_option
from vumeter_server.commands.printing import time_text
from vumeter_server.runtime.priorities import give_way
from vumeter_server.sqlite import Database, DatabaseError, open_database
from vumeter_server.sqlite.connections import connect_snapshot
from vumeter_server.sqlite.copying import copy_database, open_source, partial_file

ACTION_OF_BACKUP = "backup.create"

_FILE = click.Path(path_type=Path)


class _ProblemsFound(Exception):
    """A copy is not sound, so it does not count."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__()
        self.problems = problems


@click.command()
@click.argument("file", type=_FILE)
@db_option
@click.option("--replace", is_flag=True, help="Replace an older backup of that name.")
def backup(file: Path, db: Path | None, replace: bool) -> int:
    """Copy the database to FILE, as it is at this moment, and check the copy.

    Works beside a running server. FILE is there once it is whole and checked, and can be read by
    its owner alone. Exits with status 1, without FILE, if the check finds a problem.
    """
    path = database_path(db)
    with using(path):
        database = open_source(path)
        _check_destination(file, database.path, replace=replace)
        give_way()
        _note(database, file)
        try:
            with partial_file(file) as partial:
                with _bar("copying") as show:
                    copy_database(database.path, partial, show)
                _check(partial)
        except _ProblemsFound as found:
            return _tell(found, f"{file} was not written: the copy of {database.path}")
    click.echo(f"{file}: {file.stat().st_size} bytes, no problem found")
    return 0


@click.command()
@click.argument("file", type=_FILE)
@db_option
def restore(file: Path, db: Path | None) -> int:
    """Make the database from FILE, a backup, and check it.

    There must be no database yet, and no server. FILE stays as it is. A backup of an earlier
    version becomes a database of this one. Exits with status 1, without a database, if the check
    finds a problem.
    """
    path = database_path(db)
    with using(path):
        if not file.is_file():
            raise DatabaseError(f"{file} does not exist")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"{path.parent} cannot be created: {error.strerror}") from None
        claim = Database(path=path).lock_for_serving()
        try:
            _check_is_free(path)
            with partial_file(path) as partial:
                with _bar("copying") as show:
                    copy_database(file, partial, show)
                taken_us = _become_database(partial, file)
                _check(partial)
        except _ProblemsFound as found:
            return _tell(found, f"{path} was not written: the copy of {file}")
        finally:
            os.close(claim)
    of = f" of {time_text(taken_us)}" if taken_us else ""
    click.echo(f"{path}: restored from {file}{of}, no problem found")
    return 0


def _note(database: Database, file: Path) -> None:
    """Note the backup in the audit; a database that takes nothing any more is backed up without."""
    try:
        SqliteAuditAdministration(database).note(ACTION_OF_BACKUP, target=str(file.absolute()))
    except DatabaseError as error:
        click.echo(f"vumeter: the backup is not in the audit: {error}", err=True)


def _check_destination(file: Path, database: Path, *, replace: bool) -> None:
    if file.is_dir():
        raise DatabaseError(f"{file} is a directory: name a file in it")
    if not file.exists():
        return
    if file.samefile(database):
        raise DatabaseError(f"{file} is the database itself")
    if Path(f"{file}-wal").exists():
        raise DatabaseError(f"{file} is a database that is in use: choose another name")
    if not replace:
        raise DatabaseError(f"{file} exists: choose another name, or give --replace")


def _check_is_free(path: Path) -> None:
    """Make sure that there is nothing at `path`, not even a log that would be applied to it."""
    for file in (path, Path(f"{path}-wal")):
        if file.exists() and (not file.is_file() or file.stat().st_size):
            raise DatabaseError(
                f"{file} exists: move {path}, {path.name}-wal and {path.name}-shm away first, or"
                " give another --db"
            )


def _become_database(partial: Path, file: Path) -> int | None:
    """Bring a copy to the schema of this version; return when the backup was made, if it says so.

    Raises DatabaseError, which names `file`, if it is no database of vumeter.
    """
    try:
        database = open_database(partial, create=False)
    except DatabaseError as error:
        raise DatabaseError(str(error).replace(str(partial), str(file))) from None
    entries = SqliteAuditAdministration(database).entries(most=1, action=ACTION_OF_BACKUP)
    taken_us = entries[0].occurred_us if entries else None
    SqliteAuditAdministration(database).note(
        "backup.restore", target=str(file.absolute()), details={"made": time_text(taken_us)}
    )
    return taken_us


def _check(copy: Path) -> None:
    with _bar("checking"), closing(connect_snapshot(copy)) as connection:
        problems = find_problems(connection)
    if problems:
        raise _ProblemsFound(problems)


def _tell(found: _ProblemsFound, what: str) -> int:
    for problem in found.problems:
        click.echo(problem)
    click.echo(f"{what} has {len(found.problems)} problems", err=True)
    return 1


@contextlib.contextmanager
def _bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how far something has come, or that it goes on."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console  # noqa: PLC0415 - only people wait for it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
