"""What errors of SQLite mean to callers: storage is busy or full, or it is damaged."""

from __future__ import annotations

import re

import structlog

from vumeter_server.errors import StorageDamaged, Unavailable, VumeterError
from vumeter_server.sqlite.library import sqlite3

BUSY_OR_FULL = "Storage is busy or full"

_log = structlog.get_logger(__name__)

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)", re.IGNORECASE)
# As our own statements are spelled: the prose of a docstring is none.
_TABLE_IN_CODE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)")


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


def tables_of(sql: str) -> list[str]:
    """Return the tables that a statement names, for the log."""
    return sorted(set(_TABLE.findall(sql)))


def tables_named_at(error: BaseException) -> list[str]:
    """Return the tables that the innermost function with SQL names, of those an error passed."""
    tables: set[str] = set()
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        of_module = [frame.f_globals.get(name) for name in frame.f_code.co_names]
        texts = [each for each in (*frame.f_code.co_consts, *of_module) if isinstance(each, str)]
        tables = {table for text in texts for table in _TABLE_IN_CODE.findall(text)} or tables
        traceback = traceback.tb_next
    return sorted(tables)


def as_public(error: BaseException, tables: list[str] | None = None) -> BaseException:
    """Return what callers are told of an error of storage; others are returned as they are.

    Damage is logged with `tables`, or with those that the failing code names.
    """
    if is_damage(error):
        detail = error.detail if isinstance(error, StorageDamaged) else str(error)
        _log.error("storage_damaged", problem=detail, tables=tables or tables_named_at(error))
        if isinstance(error, StorageDamaged):
            return error
        public: VumeterError = StorageDamaged(detail=detail)
    elif isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError)):
        public = Unavailable(BUSY_OR_FULL)
    else:
        return error
    public.__cause__ = error
    return public
