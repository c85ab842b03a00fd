"""Opening the database file: new, known, newer, somebody else's, and by many at once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.effort import tries

from vumeter_server.sqlite import DatabaseError, open_database
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.history import MIGRATIONS

AT_ONCE = 6


def tables(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))


def test_a_new_file_gets_every_migration_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vumeter.db"
    open_database(path)
    found = tables(path)
    assert {"organizations", "api_keys", "metrics", "idempotency_keys"} <= found.keys()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_table_of_ours_is_strict(tmp_path: Path) -> None:
    open_database(tmp_path / "vumeter.db")
    found = tables(tmp_path / "vumeter.db")
    ours = {name: sql for name, sql in found.items() if not name.startswith(("_", "sqlite_"))}
    assert [name for name, sql in ours.items() if "STRICT" not in sql] == []


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vumeter.db"
    open_database(path)
    before = tables(path)
    open_database(path, create=False)
    assert tables(path) == before


def test_migrations_are_applied_in_order_of_their_numbers() -> None:
    names = [migration.name for migration in MIGRATIONS._migrations]
    assert names == sorted(names)
    assert len({name[:5] for name in names}) == len(names)


def test_a_newer_versions_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vumeter.db"
    open_database(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('vumeter', 'm9999_from_the_future', '2030-01-01')"
        )
        connection.commit()
    with pytest.raises(DatabaseError, match="newer version of vumeter"):
        open_database(path)


@pytest.mark.parametrize("has_index", [False, True])
def test_a_first_start_that_ended_before_its_first_migration_is_begun_again(
    tmp_path: Path, has_index: bool
) -> None:
    path = tmp_path / "vumeter.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE _sqlite_migrations"
            " (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
        )
        if has_index:
            connection.execute(
                "CREATE UNIQUE INDEX idx__sqlite_migrations_migration_set_name"
                " ON _sqlite_migrations (migration_set, name)"
            )
        connection.commit()
    open_database(path)
    other = tmp_path / "other.db"
    open_database(other)
    assert tables(path).keys() == tables(other).keys()


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "recipes.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.commit()
    with pytest.raises(DatabaseError, match="database of another program"):
        open_database(path)
    assert tables(path).keys() <= {"recipes", "_sqlite_migrations"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not a database, but long enough to look like one\n" * 20, "cannot be opened")],
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=reason):
        open_database(path)
    assert path.read_bytes() == content


def test_a_missing_file_or_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        open_database(tmp_path / "vumeter.db", create=False)
    with pytest.raises(DatabaseError, match="is not a file"):
        open_database(tmp_path)


@pytest.mark.parametrize("attempt", range(tries(1, 20)))
def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / "vumeter.db"
    script = (
        "import pathlib, sys; from vumeter_server.sqlite import open_database;"
        " sys.stdin.readline(); open_database(pathlib.Path(sys.argv[1]))"
    )
    opening = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(AT_ONCE)
    ]
    for process in opening:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=30)[1] for process in opening]
    assert [process.returncode for process in opening] == [0] * AT_ONCE, told
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")]
    assert sorted(names) == sorted(migration.name for migration in MIGRATIONS._migrations)


def test_a_file_has_one_server_at_a_time(tmp_path: Path) -> None:
    database = open_database(tmp_path / "vumeter.db")
    claim = database.lock_for_serving()
    with pytest.raises(DatabaseError, match="already served"):
        database.lock_for_serving()
    os.close(claim)
    os.close(database.lock_for_serving())
