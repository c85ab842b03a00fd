"""`vumeter backup`, through the real command and beside a real server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands.command import VUMETER, parsed, try_vumeter, vumeter
from tests.commands.copies import (
    audited,
    execute,
    lose_a_page,
    mode,
    names,
    new_database,
    refusal,
)
from tests.disks import fill_up, make_read_only, small_disk
from tests.end_to_end.callers import Caller
from tests.end_to_end.killing import asking, assert_whole_and_once, running
from tests.end_to_end.recorders import Recorder, RestRecorder, StreamRecorder, stored
from tests.waiting import until

from vumeter_server.sqlite.connections import connect_writer

PAGE_BYTES = 4096
# In the background of a shell it would be ignored. A program of its own does it: in a process with
# threads, such as those of gRPC, nothing may be done between fork and exec.
TAKING_SIGINT = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_database(tmp_path_factory.mktemp("database"))


@pytest.mark.timeout(180)
def test_a_backup_beside_recording_is_of_one_moment_and_restored_answers_the_same(
    tmp_path: Path,
) -> None:
    file, restored = tmp_path / "backup.db", tmp_path / "restored"
    restored.mkdir()
    with running(tmp_path, VUMETER_FLUSH_AT_POINTS="2000") as stack:
        key = stack.make_key()
        with asking(stack, key) as caller:
            caller.record([{"name": "calls", "value": 7, "timestamp": "2019-12-01T08:00:00Z"}])
            answers = answered(caller)
            clients: list[Recorder] = [
                kind(kind.__name__, caller) for kind in (RestRecorder, StreamRecorder)
            ]
            for client in clients:
                client.start()
            until(lambda: all(len(client.acknowledged) > 20 for client in clients))
            before = {batch for client in clients for batch in client.acknowledged}
            printed = vumeter("backup", str(file), db=stack.db_path)
            until(lambda: len({b for c in clients for b in c.acknowledged} - before) > 20)
            stack.stop()
            for client in clients:
                client.join()
    assert printed == f"{file}: {file.stat().st_size} bytes, no problem found\n"
    assert mode(file) == 0o600
    vumeter("restore", str(file), db=restored / "vumeter.db")
    with running(restored) as stack, asking(stack, key) as caller:
        assert answered(caller) == answers
        found = stored(caller)
        assert found.keys() >= before
        for client in clients:
            # What was acknowledged after the backup is not in it: each client's first batches are.
            client.acknowledged = [batch for batch in client.acknowledged if batch in before]
            in_backup = [batch for batch in client.sent if batch in found]
            assert in_backup == client.sent[: len(in_backup)]
        assert_whole_and_once(found, clients)
    assert [each["target"] for each in audited(restored / "vumeter.db", "backup")] == [
        str(file)
    ] * 2


def answered(caller: Caller) -> object:
    days = {"startDate": "2019-12-01", "endDate": "2019-12-02"}
    return caller.get("/v1/custom-metrics/aggregate", **days).body


def test_a_backup_takes_its_name_when_it_is_whole_and_leaves_nothing_else(
    database: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a b.db"
    # What a command left that was killed may be longer, and may be read by everybody.
    (tmp_path / "a b.db.partial").write_bytes(bytes(10_000_000))
    (tmp_path / "a b.db.partial").chmod(0o666)
    vumeter("backup", str(file), db=database)
    assert names(tmp_path) == {"a b.db"}
    assert mode(file) == 0o600
    assert vumeter("db", "check", db=file) == "no problem found\n"
    (entry, *_) = audited(database, "backup")
    assert (entry["action"], entry["target"]) == ("backup.create", str(file))
    assert entry["command"] == "vumeter backup"


def test_an_older_backup_is_replaced_only_if_asked(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("older")
    done = try_vumeter("backup", str(file), db=database)
    assert (done.returncode, done.stderr) == (
        2,
        f"vumeter: {file} exists: choose another name, or give --replace\n",
    )
    assert file.read_text() == "older"
    vumeter("backup", "--replace", str(file), db=database)
    assert file.read_bytes().startswith(b"SQLite format 3")


def test_a_backup_does_not_take_the_place_of_a_database(database: Path, tmp_path: Path) -> None:
    assert refusal("backup", "--replace", str(database), db=database).endswith(
        "is the database itself"
    )
    other = tmp_path / "other.db"
    shutil.copy(database, other)
    Path(f"{other}-wal").touch()
    assert "is a database that is in use" in refusal("backup", "--replace", str(other), db=database)
    assert refusal("backup", str(tmp_path), db=database).endswith(
        "is a directory: name a file in it"
    )
    missing = tmp_path / "none" / "backup.db"
    assert "cannot be created: No such file or directory" in refusal(
        "backup", str(missing), db=database
    )
    assert "does not exist" in refusal("backup", str(tmp_path / "b.db"), db=tmp_path / "none.db")


def test_where_there_is_no_room_it_says_so_before_it_begins(database: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, 12) as disk:
        line = refusal("backup", str(disk / "backup.db"), db=database)
        assert "bytes of free space, but" in line
        assert names(disk) == set()


@pytest.mark.parametrize("use_up", [fill_up, make_read_only])
def test_a_database_that_takes_nothing_any_more_is_backed_up_to_another_disk(
    tmp_path: Path, use_up: Callable[[Path], None]
) -> None:
    file = tmp_path / "backup.db"
    with small_disk(tmp_path, 12) as disk:
        full = new_database(disk)
        use_up(disk)
        for _ in range(2):
            done = try_vumeter("backup", "--replace", str(file), db=full)
            assert done.returncode == 0, done.stderr
            assert done.stdout.endswith("no problem found\n")
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"vumeter: the backup is not in the audit: {full} cannot be ")
        assert audited(file, "backup") == []
        assert audited(file, "key.create") != []


def test_beside_a_server_whose_disk_is_full_a_backup_has_what_was_acknowledged(
    tmp_path: Path,
) -> None:
    file = tmp_path / "backup.db"
    with small_disk(tmp_path, 12) as disk:
        full = new_database(disk)
        connection = connect_writer(full)
        try:
            # In the log alone.
            connection.execute("UPDATE organizations SET name = 'hospital'")
            fill_up(disk)
            done = try_vumeter("backup", str(file), db=full)
        finally:
            connection.close()
    assert done.returncode == 0, done.stderr
    assert "the backup is not in the audit" in done.stderr
    listed = parsed(vumeter("keys", "list", "--format", "json", db=file))
    assert [each["organization"] for each in listed] == ["hospital"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_backup_that_is_cut_short_leaves_the_older_one(
    database: Path, tmp_path: Path, number: signal.Signals
) -> None:
    file, partial = tmp_path / "backup.db", tmp_path / "backup.db.partial"
    file.write_text("older")
    large = tmp_path / "large.db"
    shutil.copy(database, large)
    # Of seconds: a copy rests as long as it works.
    execute(large, "CREATE TABLE padding (z)", "INSERT INTO padding VALUES (zeroblob(30000000))")
    process = subprocess.Popen(
        [sys.executable, "-c", TAKING_SIGINT, *VUMETER, "backup", "--replace", str(file)],
        env={**os.environ, "VUMETER_DB": str(large)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    # A backup has the lowest priority: beside other tests it hardly gets on.
    until(lambda: partial.exists() and partial.stat().st_size > 0, seconds=100, every_seconds=0.001)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert said.strip() == b""
    assert file.read_text() == "older"
    assert partial.exists() == (number != signal.SIGINT)
    vumeter("backup", "--replace", str(file), db=database)
    assert names(tmp_path) == {"backup.db", "large.db"}


def test_a_damaged_database_does_not_replace_a_good_backup(database: Path, tmp_path: Path) -> None:
    file, damaged = tmp_path / "backup.db", tmp_path / "vumeter.db"
    shutil.copy(database, damaged)
    vumeter("backup", str(file), db=damaged)
    good = file.read_bytes()
    lose_a_page(damaged, "api_keys")
    done = try_vumeter("backup", "--replace", str(file), db=damaged)
    assert done.returncode == 1, done.stderr
    assert "api_keys: cannot be read further" in done.stdout
    assert done.stderr.startswith(f"{file} was not written: the copy of {damaged} has ")
    assert file.read_bytes() == good
    assert not Path(f"{file}.partial").exists()


def test_the_store_of_the_environment_is_backed_up_or_it_is_an_error(
    database: Path, tmp_path: Path
) -> None:
    file = tmp_path / "backup.db"
    vumeter("backup", str(file), VUMETER_STORE=f"sqlite:///{database}")
    assert vumeter("db", "check", VUMETER_STORE=f"sqlite:///{file}") == "no problem found\n"
    other = try_vumeter(
        "backup", str(tmp_path / "other.db"), VUMETER_STORE="clickhouse://me@localhost/metrics"
    )
    assert (other.returncode, other.stderr) == (
        2,
        "vumeter: VUMETER_STORE names ClickHouse, and this command is for a file: give --db\n",
    )
    assert names(tmp_path) == {"backup.db"}
