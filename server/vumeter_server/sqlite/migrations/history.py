"""The schema's history: each migration runs once, in order, in a transaction of its own.

It is imported when there is something to migrate. `sqlite_utils` loads pandas and numpy where they
are installed, to insert data frames: nothing here does that, and it costs most of a second.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.names import MIGRATION_SET, NAMES

if TYPE_CHECKING:
    from types import ModuleType


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
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

MIGRATIONS = Migrations(MIGRATION_SET)
for _name in NAMES:
    MIGRATIONS(name=_name)(importlib.import_module(f"{__package__}.{_name}").migrate)


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that a database lacks."""
    MIGRATIONS.apply(Database(connection))
