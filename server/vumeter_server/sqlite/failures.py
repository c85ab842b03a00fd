"""What errors of SQLite mean to callers: storage is busy or full, or it is damaged."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from vumeter_server.errors import StorageDamaged, Unavailable
from vumeter_server.runtime.damage import Damage, tables_of
from vumeter_server.sqlite.library import sqlite3

BUSY_OR_FULL = "Storage is busy or full"

_log = structlog.get_logger(__name__)


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file is not as it was written."""
    if isinstance(error, StorageDamaged):
        return True
    if isinstance(error, sqlite3.OperationalError):
        # Text whose bytes were changed.
        return "Could not decode to UTF-8" in str(error)
    name = getattr(error, "sqlite_errorname", "") or ""
    return isinstance(error, sqlite3.DatabaseError) and (
        type(error) is sqlite3.DatabaseError or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
    )


def tables_read(
    connection: sqlite3.Connection, query: Callable[[sqlite3.Connection], object]
) -> list[str]:
    """Return the tables that a query reads last: it is run again, to name the damaged one."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    try:
        query(connection)
    except Exception:  # noqa: S110 - it is the error that the query has raised before
        pass
    finally:
        connection.set_trace_callback(None)
    read = [tables for each in statements if (tables := tables_of(each))]
    return read[-1] if read else []


def as_public(
    error: BaseException, damage: Damage, tables: list[str] | None = None
) -> BaseException:
    """Return what callers get for an error of storage; others are returned as they are.

    Damage is noted in `damage`, and logged, with the tables where it was met.
    """
    if is_damage(error):
        damage.note(tables or ())
        detail = error.detail if isinstance(error, StorageDamaged) else str(error)
        _log.error("storage_damaged", problem=detail, tables=tables or [])
        if isinstance(error, StorageDamaged):
            return error
        public = StorageDamaged(detail=detail)
        public.__cause__ = error
        return public
    if isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError)):
        # Without a cause: a full disk is no fault of ours, and its traceback says nothing more.
        return Unavailable(BUSY_OR_FULL)
    return error
