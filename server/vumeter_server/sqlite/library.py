"""The SQLite that the product uses: the one that comes with it, not the machine's.

Versions before 3.51.3 (but for 3.50.7 and 3.44.6) can lose a committed transaction in WAL mode when
a commit of one connection meets the checkpoint of another, and commands write beside the server.
Everything imports `sqlite3` from here, so that no two copies of SQLite open one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The same interface, and annotated.
    import sqlite3
else:
    from pysqlite3 import dbapi2 as sqlite3

# Earlier lines of versions that were mended too, each from this one on.
_MENDED = ((3, 44, 6), (3, 50, 7))

SQLITE_VERSION = sqlite3.sqlite_version


def has_wal_reset_fault(version: str) -> bool:
    """Whether a version of SQLite may lose a commit that meets a checkpoint, see above."""
    numbers = tuple(map(int, version.split(".")))
    return numbers < (3, 51, 3) and not any(
        numbers[:2] == mended[:2] and numbers >= mended for mended in _MENDED
    )


__all__ = ["SQLITE_VERSION", "has_wal_reset_fault", "sqlite3"]
