"""A copy of a database file at one moment, taken beside whoever writes to it.

SQLite's online backup starts over whenever another process writes, unless the connection that it
reads holds a read transaction: then it copies that one snapshot. Writers and their checkpoints go
on meanwhile; only the part of the write-ahead log behind the snapshot waits for its checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from vumeter_server.sqlite.connections import connect_reader, connect_snapshot
from vumeter_server.sqlite.database import Database, DatabaseError, open_database
from vumeter_server.sqlite.failures import is_damage
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.names import NAMES, applied_names

PAGES_AT_ONCE: Final = 64
# What is copied is synced in small amounts, for a sync of the server's log waits for the disk to
# write what others have left to it.
SYNC_EVERY_BYTES: Final = 2 << 20
# The part of the time in which a copy rests, so that others have the disk and a processor.
REST: Final = 0.5
MODE: Final = 0o600
# Room that is left on the disk for others.
SPARE_BYTES: Final = 16 << 20

_OF_TARGET: Final = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")

_NO_SHARED_MEMORY: Final = (
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
)

Show = Callable[[int, int], None]
"""Gets the bytes that are copied, and how many there are in all."""


@contextlib.contextmanager
def partial_file(target: Path) -> Iterator[Path]:
    """Give the path of an empty file beside `target`, for this user alone, to write to first.

    It takes the place of `target` when the context ends, synced; on an error it is removed. Raises
    DatabaseError if it cannot be created or is written by another process.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    except OSError as error:
        raise DatabaseError(f"{partial} cannot be created: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DatabaseError(f"{partial} is being written by another process") from None
        try:
            # What an interrupted copy left may have another mode.
            os.fchmod(descriptor, MODE)
            os.ftruncate(descriptor, 0)
            yield partial
            os.fsync(descriptor)
            partial.replace(target)
            _sync_directory(target.parent)
        except BaseException as error:
            _remove(partial)
            if isinstance(error, OSError):
                raise DatabaseError(f"{target} cannot be written: {error.strerror}") from None
            raise
    finally:
        os.close(descriptor)


def open_source(path: Path) -> Database:
    """Open a database to be copied, also one that takes nothing any more.

    Where its disk is full or read-only, it has to be of this version. Raises DatabaseError as
    `open_database` does.
    """
    try:
        return open_database(path, create=False)
    except DatabaseError:
        if not _is_readable(path):
            raise
        return Database(path=path)


def _is_readable(path: Path) -> bool:
    try:
        with closing(_connect_source(path)) as reader:
            return set(applied_names(reader)) == set(NAMES)
    except (sqlite3.Error, DatabaseError):
        return False


def copy_database(source: Path, target: Path, show: Show = lambda done, total: None) -> None:
    """Copy `source` as it is at this moment into the empty file `target`.

    Raises DatabaseError if `source` is no database or is damaged, and if there is no room.
    """
    try:
        with closing(_connect_source(source)) as reader:
            reader.execute("BEGIN")
            (tables,) = reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if not tables:
                raise DatabaseError(f"{source} is empty")
            page_bytes = int(reader.execute("PRAGMA page_size").fetchone()[0])
            pages = int(reader.execute("PRAGMA page_count").fetchone()[0])
            _check_room(target, pages * page_bytes)
            with closing(sqlite3.connect(target, isolation_level=None)) as writer:
                # A copy that was interrupted is thrown away: it needs no journal.
                writer.execute("PRAGMA journal_mode = OFF")
                writer.execute("PRAGMA synchronous = OFF")
                _copy_pages(reader, writer, target, page_bytes, show)
    except sqlite3.Error as error:
        if is_damage(error) and "malformed" in str(error):
            raise DatabaseError(f"{source} is damaged: {error}") from None
        if getattr(error, "sqlite_errorname", "") in _OF_TARGET:
            raise DatabaseError(f"{target} cannot be written: {error}") from None
        raise DatabaseError(f"{source} cannot be copied: {error}") from None


def _connect_source(source: Path) -> sqlite3.Connection:
    if not source.exists():
        raise DatabaseError(f"{source} does not exist")
    # A copy may lie on a medium that takes no log beside it.
    if not _has_log(source):
        return connect_snapshot(source)
    try:
        reader = connect_reader(source)
        reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        # There is no room for what processes share that use the file; so none does.
        is_alone = getattr(error, "sqlite_errorname", "").startswith(_NO_SHARED_MEMORY)
        if not is_alone or Path(f"{source}-wal").stat().st_size:
            raise
        return connect_snapshot(source)
    return reader


def _has_log(path: Path) -> bool:
    """Whether a file is in use, or has commits that are in its log only."""
    return Path(f"{path}-wal").exists()


def _check_room(target: Path, needed: int) -> None:
    status = os.statvfs(target)
    free = status.f_bavail * status.f_frsize
    if free < needed + SPARE_BYTES:
        raise DatabaseError(
            f"{target.parent} has {free:,} bytes of free space, but {needed + SPARE_BYTES:,} are"
            " needed"
        )


def _copy_pages(
    reader: sqlite3.Connection,
    writer: sqlite3.Connection,
    target: Path,
    page_bytes: int,
    show: Show,
) -> None:
    # Closing a descriptor drops the locks that SQLite holds on the file, so it stays open.
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        synced = 0
        began = time.monotonic()

        def after_step(_: int, remaining: int, total: int) -> None:
            nonlocal synced, began
            done = (total - remaining) * page_bytes
            if done - synced >= SYNC_EVERY_BYTES:
                synced = done
                os.fdatasync(descriptor)
            show(done, total * page_bytes)
            time.sleep((time.monotonic() - began) * REST / (1 - REST))
            began = time.monotonic()

        reader.backup(writer, pages=PAGES_AT_ONCE, progress=after_step)
        os.fdatasync(descriptor)
        # Who checks the copy reads it from the disk, and what others have cached stays.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(partial: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            os.unlink(f"{partial}{suffix}")  # noqa: PTH108 - a suffix to the whole name
