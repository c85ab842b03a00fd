"""`vumeter restore`: what is no good backup is not restored, and nothing is overwritten."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands.command import parsed, try_vumeter, vumeter
from tests.commands.copies import (
    PAGE_BYTES,
    audited,
    lose_a_page,
    mode,
    names,
    new_database,
    refusal,
)
from tests.disks import small_disk
from tests.stack import Stack
from tests.upgrade.old_database import unpack

from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.library import sqlite3


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup."""
    database = new_database(tmp_path_factory.mktemp("database"))
    path = database.with_name("copy.db")
    vumeter("backup", str(path), db=database)
    return path


def test_restored_is_what_was_backed_up(copy: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "vumeter.db"
    before = copy.read_bytes()
    printed = vumeter("restore", str(copy), db=path)
    entry, made = audited(path, "backup")
    assert printed == f"{path}: restored from {copy} of {made['time']}, no problem found\n"
    assert (entry["action"], entry["target"]) == ("backup.restore", str(copy))
    assert entry["details"] == {"made": made["time"]}
    assert names(path.parent) == {"vumeter.db", "vumeter.db.lock"}
    assert mode(path) == 0o600
    assert copy.read_bytes() == before
    assert contents(path, "api_keys") == contents(copy, "api_keys")


def contents(path: Path, table: str) -> list[tuple[object, ...]]:
    return open_database(path).read(
        lambda connection: connection.execute(f"SELECT * FROM {table}").fetchall()
    )


def test_a_backup_is_restored_from_where_nothing_can_be_written(copy: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, 30) as disk:
        shutil.copy(copy, disk / "copy.db")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        vumeter("restore", str(disk / "copy.db"), db=tmp_path / "vumeter.db")
    assert vumeter("db", "check", db=tmp_path / "vumeter.db") == "no problem found\n"


def test_a_backup_of_0_1_0_becomes_a_database_of_today(tmp_path: Path) -> None:
    old = unpack(tmp_path)
    path = tmp_path / "new.db"
    assert vumeter("restore", str(old), db=path) == (
        f"{path}: restored from {old}, no problem found\n"
    )
    assert parsed(vumeter("db", "info", "--format", "json", db=path))["organizations"]


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Path]:
    """Where a database would be restored, and must not be."""
    path = tmp_path / "new" / "vumeter.db"
    yield path
    assert not path.exists()
    assert not Path(f"{path}.partial").exists()


def test_what_is_no_backup_is_not_restored(copy: Path, tmp_path: Path, refusing: Path) -> None:
    file = tmp_path / "copy.db"
    assert refusal("restore", str(file), db=refusing) == f"{file} does not exist"
    file.write_bytes(b"")
    assert refusal("restore", str(file), db=refusing) == f"{file} is empty"
    file.write_bytes(b"no database at all" * 1_000)
    assert refusal("restore", str(file), db=refusing) == (
        f"{file} cannot be copied: file is not a database"
    )
    file.write_bytes(copy.read_bytes()[: 10 * PAGE_BYTES])
    assert f"{file} is damaged" in refusal("restore", str(file), db=refusing)
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE cats (name)")
    connection.close()
    assert refusal("restore", str(file), db=refusing) == (
        f"{file} is a database of another program"
    )
    shutil.copy(copy, file)
    with sqlite3.connect(file) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('vumeter', 'm9999', '')"
        )
    connection.close()
    assert refusal("restore", str(file), db=refusing) == (
        f"{file} was written by a newer version of vumeter"
    )


def test_a_damaged_backup_is_not_restored(copy: Path, tmp_path: Path, refusing: Path) -> None:
    file = tmp_path / "copy.db"
    shutil.copy(copy, file)
    lose_a_page(file, "audit_entries")
    done = try_vumeter("restore", str(file), db=refusing)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "damaged" in done.stderr or "problems" in done.stderr


def test_nothing_that_is_there_is_overwritten(copy: Path, tmp_path: Path) -> None:
    path = tmp_path / "vumeter.db"
    path.write_text("a database, perhaps")
    hint = f"move {path}, vumeter.db-wal and vumeter.db-shm away first, or give another --db"
    assert refusal("restore", str(copy), db=path) == f"{path} exists: {hint}"
    assert path.read_text() == "a database, perhaps"
    path.unlink()
    # It would be applied to the restored file.
    log = Path(f"{path}-wal")
    log.write_text("commits")
    assert refusal("restore", str(copy), db=path) == f"{log} exists: {hint}"
    log.unlink()
    path.touch()
    vumeter("restore", str(copy), db=path)


def test_a_served_database_is_not_restored(copy: Path, stack: Stack) -> None:
    assert refusal("restore", str(copy), db=stack.db_path) == (
        f"{stack.db_path} is already served by another process"
    )
