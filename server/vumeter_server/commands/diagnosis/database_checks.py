"""The database file from inside: schema, free space, clock, backups. Nothing is written to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vumeter_server.commands.diagnosis.clock_checks import check_clock
from vumeter_server.commands.diagnosis.finding import Finding, problem, size_text, warning
from vumeter_server.commands.printing import time_text
from vumeter_server.sqlite import Database, DatabaseError
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.names import NAMES, applied_names
from vumeter_server.times.units import DAY_US

FREE_SPACE_AT_MOST: Final = 64 << 20
BACKUP_AT_MOST_US: Final = 7 * DAY_US

# Where the server writes down its own time, not that of whoever reports.
_TIMES: Final = (
    ("server_clock", "seen_us"),
    ("metric_days", "sealed_us"),
    ("idempotency_keys", "created_us"),
    ("live_tenants", "last_received_us"),
    ("api_keys", "created_us"),
    ("audit_entries", "occurred_us"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Contents:
    migrations: list[str]
    tables: int
    free_bytes: int
    newest_us: int | None
    oldest_us: int | None
    untrusted_for_us: int
    backup_us: int | None


def check_contents(path: Path, now_us: int) -> Iterator[Finding]:
    """Yield what is found in a database file that exists."""
    try:
        contents = Database(path=path).read(_contents)
    except DatabaseError as error:
        yield problem("database", str(error), "restore a backup; see `vumeter restore --help`")
        return
    yield _schema(path, contents)
    yield _free_space(contents)
    yield check_clock(now_us, contents.newest_us, contents.untrusted_for_us)
    yield _backup(contents, now_us)


def _contents(connection: sqlite3.Connection) -> _Contents:
    def value(sql: str) -> int | None:
        # A table may be missing in an earlier version's database.
        with contextlib.suppress(sqlite3.OperationalError):
            row = connection.execute(sql).fetchone()
            return None if row is None or row[0] is None else int(row[0])
        return None

    names: list[str] = []
    with contextlib.suppress(sqlite3.OperationalError):
        names = applied_names(connection)
    times = [value(f"SELECT max({column}) FROM {table}") for table, column in _TIMES]  # noqa: S608
    known = [each for each in times if each is not None]
    return _Contents(
        migrations=names,
        # Damage in the schema is met here.
        tables=int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]),
        free_bytes=(value("PRAGMA freelist_count") or 0) * (value("PRAGMA page_size") or 0),
        newest_us=max(known, default=None),
        oldest_us=value("SELECT min(created_us) FROM organizations"),
        untrusted_for_us=value("SELECT untrusted_for_us FROM server_clock") or 0,
        backup_us=value(
            "SELECT max(occurred_us) FROM audit_entries WHERE action = 'backup.create'"
        ),
    )


def _schema(path: Path, contents: _Contents) -> Finding:
    check = "database"
    if not contents.migrations:
        if contents.tables:
            return problem(check, f"{path} is of another program", "give the right --db")
        return Finding(check=check, found=f"{path} is empty: the next start fills it")
    if set(contents.migrations) - set(NAMES):
        return problem(
            check, f"{path} was written by a newer version of vumeter", "install that version"
        )
    if missing := [name for name in NAMES if name not in contents.migrations]:
        return warning(
            check,
            f"{path} is of an earlier version",
            f"make a backup; the next start upgrades it ({len(missing)} migrations)",
        )
    return Finding(check=check, found=f"{path}, schema {NAMES[-1]}")


def _free_space(contents: _Contents) -> Finding:
    check = "free space in the file"
    found = size_text(contents.free_bytes)
    if contents.free_bytes > FREE_SPACE_AT_MOST:
        return warning(check, found, "`vumeter db vacuum` gives it back to the file system")
    return Finding(check=check, found=found)


def _backup(contents: _Contents, now_us: int) -> Finding:
    check = "backup"
    if contents.backup_us is not None:
        found = f"the last one at {time_text(contents.backup_us)}"
        is_late = now_us - contents.backup_us > BACKUP_AT_MOST_US
    else:
        found = "none was made by `vumeter backup`"
        is_late = contents.oldest_us is not None and now_us - contents.oldest_us > BACKUP_AT_MOST_US
    if is_late:
        return warning(check, found, "`vumeter backup FILE`, every day")
    return Finding(check=check, found=found)
