"""The schema's history: each migration runs once, in order, in a transaction of its own.

It is imported when there is something to migrate. `sqlite_utils` loads pandas and numpy where they
are installed, to insert data frames: nothing here does that, and it costs most of a second.
"""

from __future__ import annotations

import importlib

from vumeter_server.runtime import data_frames
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.names import MIGRATION_SET, NAMES

with data_frames.without("pandas", "numpy"):
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

MIGRATIONS = Migrations(MIGRATION_SET)
for _name in NAMES:
    MIGRATIONS(name=_name)(importlib.import_module(f"{__package__}.{_name}").migrate)


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that a database lacks."""
    MIGRATIONS.apply(Database(connection))
