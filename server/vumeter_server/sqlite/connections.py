"""How a connection to the database file is opened, for writing and for reading."""

from __future__ import annotations

from pathlib import Path

from vumeter_server.sqlite.library import sqlite3

# Beside a running server the commands write too, so a writer waits this long for another's commit.
BUSY_TIMEOUT_MS = 10_000

WRITER_PRAGMAS = (
    # Readers go on while the writer commits.
    "PRAGMA journal_mode = WAL",
    # An acknowledged write survives a power cut: each commit is synced.
    "PRAGMA synchronous = FULL",
    # macOS alone leaves what is synced in the memory of the disk, unless it is asked for more.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    # A log that grew under a long reader is cut back to this size at the next checkpoint.
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
)

READER_PRAGMAS = (
    "PRAGMA query_only = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8192",
    "PRAGMA mmap_size = 1073741824",
)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open `path` for writing, creating it; transactions are begun and ended by the caller."""
    connection = _connect(path, "rwc")
    # Only a file without tables takes this; freed pages can then be given back in steps.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in WRITER_PRAGMAS:
        connection.execute(pragma)
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the existing `path` for reading; whatever tries to write through it fails."""
    connection = _connect(path, "rw")
    for pragma in READER_PRAGMAS:
        connection.execute(pragma)
    return connection


def connect_snapshot(path: Path) -> sqlite3.Connection:
    """Open a file that nobody writes, for reading: without locks, and no file is made beside it."""
    connection = _connect(path, "ro&immutable=1")
    for pragma in READER_PRAGMAS:
        connection.execute(pragma)
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_MS / 1000,
        # A connection serves one thread at a time; closing and interrupting come from others.
        check_same_thread=False,
        cached_statements=256,
    )
