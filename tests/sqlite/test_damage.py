"""Real files that are damaged: no wrong answer, no dead thread, one line for whoever asks."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.upgrade.old_database import unpack

from vumeter_server.errors import StorageDamaged
from vumeter_server.simulation.sqlite import latencies
from vumeter_server.sqlite import Database, Readers
from vumeter_server.sqlite.connections import connect_reader, connect_writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.readers import HEAVY_THREADS

PAGE = 4096


def root_page(path: Path, table: str) -> int:
    connection = connect_reader(path)
    query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    (page,) = connection.execute(query, (table,)).fetchone()
    connection.close()
    return int(page)


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def damage_table(path: Path, table: str) -> None:
    overwrite(path, (root_page(path, table) - 1) * PAGE, b"\x5a" * PAGE)


def vumeter(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vumeter_server.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "VUMETER_ADMIN_TOKEN": "t" * 32},
    )


def count_of(table: str, connection: sqlite3.Connection) -> int:
    return len(connection.execute(f"SELECT * FROM {table}").fetchall())


def test_readers_live_on_after_a_damaged_page_and_name_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = unpack(tmp_path)
    damage_table(path, "metric_columns")

    async def ask(readers: Readers) -> None:
        for heavy in (False, True):
            for _ in range(2 * HEAVY_THREADS):
                with pytest.raises(StorageDamaged):
                    await readers.run(lambda c: count_of("metric_columns", c), heavy=heavy)
        for heavy in (False, True):
            for _ in range(2 * HEAVY_THREADS):
                answer = readers.run(lambda c: count_of("organizations", c), heavy=heavy)
                assert await asyncio.wait_for(answer, 10) == 2

    readers = Readers(lambda: connect_reader(path))
    asyncio.run(ask(readers))
    readers.close()
    assert "metric_columns" in capsys.readouterr().out


def test_a_job_that_meets_a_damaged_page_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    path = unpack(tmp_path)
    damage_table(path, "metric_columns")
    writer = Database(path=path).writer()

    async def write() -> int:
        with pytest.raises(StorageDamaged):
            await writer.run(lambda c: c.execute("DELETE FROM metric_columns"))
        return await asyncio.wait_for(writer.run(lambda c: count_of("organizations", c)), 10)

    assert asyncio.run(write()) == 2
    writer.close()


@pytest.mark.parametrize(
    "table",
    ["metric_columns", "session_points", "live_events", "simulation_latencies", "organizations"],
)
def test_the_check_says_which_table_is_damaged_and_goes_on(tmp_path: Path, table: str) -> None:
    path = unpack(tmp_path)
    damage_table(path, table)
    checked = vumeter("db", "check", "--db", str(path))
    assert checked.returncode == 1
    assert f"{table}: " in checked.stdout
    assert "Traceback" not in checked.stdout + checked.stderr


def test_the_check_never_ends_in_a_traceback(tmp_path: Path) -> None:
    numbers = random.Random(7)
    original = unpack(tmp_path).read_bytes()
    for number in range(8):
        path = tmp_path / f"damaged-{number}.db"
        path.write_bytes(original)
        page = numbers.randrange(1, len(original) // PAGE)
        content = (bytes(PAGE), numbers.randbytes(PAGE))[number % 2]
        overwrite(path, page * PAGE, content)
        checked = vumeter("db", "check", "--db", str(path))
        assert "Traceback" not in checked.stdout + checked.stderr
        # A page that is free holds nothing.
        assert checked.returncode in (0, 1, 2), checked.stdout
        if checked.returncode == 2:
            assert checked.stderr.count("\n") == 1


def test_a_flipped_bit_of_a_latency_is_found_by_the_check(tmp_path: Path) -> None:
    path = unpack(tmp_path)
    connection = connect_writer(path)
    latencies.write(connection, 1, {0: 640.5})
    (written,) = connection.execute(
        "SELECT latencies FROM simulation_latencies WHERE execution_key = 1 AND page = 0"
    ).fetchone()
    blob = bytearray(written)
    blob[100] ^= 1
    connection.execute(
        "UPDATE simulation_latencies SET latencies = ? WHERE execution_key = 1 AND page = 0",
        (bytes(blob),),
    )
    with pytest.raises(StorageDamaged):
        latencies.load(connection, 1)
    connection.close()
    checked = vumeter("db", "check", "--db", str(path))
    assert (checked.returncode, "simulation_latencies: execution 1" in checked.stdout) == (1, True)


def test_a_start_with_a_damaged_table_of_live_calls_is_one_line(tmp_path: Path) -> None:
    path = unpack(tmp_path)
    damage_table(path, "live_calls")
    started = vumeter("serve", "--db", str(path), "--grpc-port", "0")
    assert started.returncode == 2
    last = started.stderr.splitlines()[-1]
    assert "is damaged" in last
    assert "restore a backup" in last
    assert "Traceback" not in started.stderr
