"""The SQLite that the product uses: the one that comes with it, not the machine's.

Versions before 3.51.3 (but for 3.50.7 and 3.44.6) can lose a committed transaction in WAL mode when
a commit of one connection meets the checkpoint of another, and commands write beside the server.
Everything imports `sqlite3` from here, so that no two copies of SQLite open one file. It imports
`sqlite_utils` from here too: that loads pandas and numpy where they are installed, to insert data
frames. Nothing here does that, and it costs each command and each server most of a second.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    # The same interface, and annotated.
    import sqlite3
    from types import ModuleType
else:
    from pysqlite3 import dbapi2 as sqlite3

# Earlier lines of versions that were mended too, each from this one on.
_MENDED = ((3, 44, 6), (3, 50, 7))


@contextlib.contextmanager
def _without_data_frames() -> Iterator[None]:
    """Let imports find no pandas and numpy, unless the process has loaded them already."""
    # None says that there is no such module, which the type of sys.modules leaves out.
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    hidden = [name for name in ("pandas", "numpy") if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


with _without_data_frames():
    import sqlite_utils

SQLITE_VERSION = sqlite3.sqlite_version


def has_wal_reset_fault(version: str) -> bool:
    """Whether a version of SQLite may lose a commit that meets a checkpoint, see above."""
    numbers = tuple(map(int, version.split(".")))
    return numbers < (3, 51, 3) and not any(
        numbers[:2] == mended[:2] and numbers >= mended for mended in _MENDED
    )


__all__ = ["SQLITE_VERSION", "has_wal_reset_fault", "sqlite3", "sqlite_utils"]
