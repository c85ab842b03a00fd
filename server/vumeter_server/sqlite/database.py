"""The database file: opened, checked and brought to the schema of this version."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.damage import Damage
from vumeter_server.sqlite.connections import connect_reader, connect_writer
from vumeter_server.sqlite.failures import is_damage
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.names import NAMES, applied_names, holds_other_tables
from vumeter_server.sqlite.readers import Readers
from vumeter_server.sqlite.writer import Writer, WriterObserver, in_transaction

T = TypeVar("T")


class DatabaseError(Exception):
    """The file cannot serve as the database; the text says why, for the operator, in one line."""


def damaged_file(path: Path, error: Exception) -> DatabaseError:
    """Return the one line for an operator whose file is damaged."""
    problem = (isinstance(error, StorageDamaged) and error.detail) or str(error)
    return DatabaseError(
        f"{path} is damaged ({problem}): `vumeter db check` says where; restore a backup"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """A database file of this version's schema.

    `write` and `read` are for commands, which come and go. A server makes one `writer()` and one
    `readers()` and keeps them.
    """

    path: Path
    damage: Damage = field(default_factory=Damage, compare=False)
    """Whether a writer or readers of this process met damage."""

    def write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job` in a transaction of its own, beside whatever else uses the file.

        Raises DatabaseError if the file is busy for too long, full or failing.
        """
        with self._one_line_errors(), closing(connect_writer(self.path)) as connection:
            return in_transaction(connection, job)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in a read transaction of its own; raises DatabaseError as `write` does."""
        with self._one_line_errors(), closing(connect_reader(self.path)) as connection:
            connection.execute("BEGIN")
            return query(connection)

    def size_bytes(self) -> int:
        """Return the size of the file."""
        return self.path.stat().st_size

    def wal_bytes(self) -> int:
        """Return the size of SQLite's write-ahead log, 0 if there is none."""
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def free_bytes(self) -> int:
        """Return how much this user may still write to the file system of the file."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def vacuum(self) -> None:
        """Write the whole file again, without what is free; nobody else may be using it."""
        with self._one_line_errors(), closing(connect_writer(self.path)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, StorageDamaged) as error:
            if is_damage(error):
                raise damaged_file(self.path, error) from error
            if not isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError)):
                raise
            raise DatabaseError(f"{self.path} cannot be used now: {error}") from error

    def writer(self, observer: WriterObserver | None = None) -> Writer:
        """Start the writer thread of a server."""
        return Writer(connect_writer(self.path), self.damage, observer)

    def readers(self) -> Readers:
        """Start the reader threads of a server."""
        return Readers(lambda: connect_reader(self.path), self.damage)

    def lock_for_serving(self) -> int:
        """Claim the file for this process as its one server; return the descriptor that holds it.

        The claim ends with the process, however it ends. Raises DatabaseError if another server
        has it.
        """
        # By whatever link it is named, it is one file.
        lock = f"{self.path.resolve()}.lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise DatabaseError(f"{self.path} is already served by another process") from None
        return descriptor


def open_database(path: Path, *, create: bool = True) -> Database:
    """Open `path`, create it if it is missing, and apply the migrations that it lacks.

    Raises DatabaseError if it is missing and `create` is false, if it cannot be read or written,
    if it is not a database of vumeter, or if a newer version has migrated it.
    """
    if not path.exists():
        if not create:
            raise DatabaseError(f"{path} does not exist")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Keys' hashes and callers' data are nobody else's to read.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise DatabaseError(f"{path} cannot be created: {error.strerror}") from None
    if not path.is_file():
        raise DatabaseError(f"{path} is not a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise DatabaseError(f"{path} cannot be read and written by this user")
    try:
        with _alone_in(path.parent), closing(connect_writer(path)) as connection:
            _migrate(path, connection)
    except sqlite3.DatabaseError as error:
        if is_damage(error) and "malformed" in str(error):
            raise DatabaseError(f"{path} is damaged ({error}): restore a backup") from None
        raise DatabaseError(f"{path} cannot be opened: {error}") from None
    return Database(path=path)


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    applied = set(applied_names(connection))
    if applied - set(NAMES):
        raise DatabaseError(f"{path} was written by a newer version of vumeter")
    if not applied and holds_other_tables(connection):
        raise DatabaseError(f"{path} is a database of another program")
    if len(applied) < len(NAMES):
        # What most starts do not need is loaded by those that do.
        importlib.import_module("vumeter_server.sqlite.migrations.history").migrate(connection)


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Wait until no other process opens a database here.

    Half migrated, a file looks like another program's; and SQLite makes nobody wait for the change
    to WAL. The lock is on the directory, since closing a second descriptor of the file itself would
    drop the locks that SQLite holds on it.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DatabaseError(f"{directory} cannot be read: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
