"""The one writer: what is answered is committed, and a job that fails fails alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.sqlite.damaging import PAGE_BYTES, pages
from tests.sqlite.writing import ask_until_refused, hold, in_one_transaction, insert, stored

from vumeter_server.errors import InvalidArgument, StorageDamaged, Unavailable
from vumeter_server.sqlite import Writer
from vumeter_server.sqlite.connections import connect_writer
from vumeter_server.sqlite.library import sqlite3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "calls.db"
    connection = connect_writer(path)
    connection.execute("CREATE TABLE calls (call_id TEXT PRIMARY KEY, seconds INTEGER) STRICT")
    connection.close()
    return path


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(connect_writer(path))
    yield writer
    writer.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the writer is held up by until it is set, so that jobs share a transaction."""
    opened = threading.Event()
    yield opened
    opened.set()


async def test_a_job_is_answered_after_its_commit(writer: Writer, path: Path) -> None:
    assert await writer.run(insert("call_1")) == 1
    assert stored(path) == ["call_1"]


async def test_jobs_that_wait_together_share_a_transaction(
    writer: Writer, path: Path, gate: threading.Event
) -> None:
    seen: list[list[str]] = []

    def look(connection: sqlite3.Connection) -> None:
        seen.append(stored(path))

    jobs = [insert(f"call_{n:02}") for n in range(50)]
    await in_one_transaction(writer, gate, *jobs, look)
    assert seen == [[]]
    assert len(stored(path)) == 50


async def test_jobs_of_one_transaction_see_each_others_work(
    writer: Writer, gate: threading.Event
) -> None:
    def count(connection: sqlite3.Connection) -> int:
        (found,) = connection.execute("SELECT count(*) FROM calls").fetchone()
        return int(found)

    found = await in_one_transaction(writer, gate, insert("call_1"), count, insert("call_2"), count)
    assert found == [1, 1, 1, 2]


async def test_what_a_job_raises_undoes_that_job_alone(
    writer: Writer, path: Path, gate: threading.Event
) -> None:
    def refused(connection: sqlite3.Connection) -> None:
        insert("call_refused")(connection)
        raise InvalidArgument("no such type")

    def wrong(connection: sqlite3.Connection) -> None:
        insert("call_wrong")(connection)
        insert("call_1")(connection)

    found = await in_one_transaction(
        writer, gate, insert("call_1"), refused, wrong, insert("call_2")
    )
    assert [type(each) for each in found] == [int, InvalidArgument, sqlite3.IntegrityError, int]
    assert stored(path) == ["call_1", "call_2"]


async def test_callbacks_say_whether_the_work_is_there(
    writer: Writer, gate: threading.Event
) -> None:
    told: list[str] = []

    def refused(connection: sqlite3.Connection) -> None:
        raise InvalidArgument("no such type")

    await in_one_transaction(
        writer,
        gate,
        insert("call_1"),
        refused,
        committed=lambda: told.append("committed"),
        rolled_back=lambda: told.append("rolled back"),
    )
    assert told == ["rolled back", "committed"]


async def test_a_commit_that_fails_is_unavailable_for_all_and_undoes_all(
    path: Path, gate: threading.Event
) -> None:
    connection = connect_writer(path)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    writer = Writer(connection)
    told: list[str] = []

    def large(connection: sqlite3.Connection) -> None:
        rows = [(f"{n:05}" + "c" * 500,) for n in range(100)]
        connection.executemany("INSERT INTO calls VALUES (?, 88)", rows)

    found = await in_one_transaction(
        writer,
        gate,
        insert("call_1"),
        large,
        insert("call_2"),
        committed=lambda: told.append("committed"),
        rolled_back=lambda: told.append("rolled back"),
    )
    failed = [each for each in found if isinstance(each, Exception)]
    assert failed
    assert all(isinstance(each, Unavailable) for each in failed)
    assert {str(each) for each in failed} == {"Storage is busy or full"}
    assert told.count("committed") == len(found) - len(failed)
    assert stored(path) == ["call_1", "call_2"][: told.count("committed")]
    # There is room again.
    await writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    assert await writer.run(insert("call_3")) == 1
    writer.close()


async def test_a_callback_that_fails_holds_nobody_up(writer: Writer, path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("cache is gone")

    assert await writer.run(insert("call_1"), committed=fail) == 1
    with pytest.raises(sqlite3.IntegrityError):
        await writer.run(insert("call_1"), rolled_back=fail)
    assert await writer.run(insert("call_2")) == 1
    assert stored(path) == ["call_1", "call_2"]


async def test_a_database_that_another_process_holds_is_unavailable(path: Path) -> None:
    connection = connect_writer(path)
    connection.execute("PRAGMA busy_timeout = 10")
    writer = Writer(connection)
    other = connect_writer(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await writer.run(insert("call_1"))
    other.execute("ROLLBACK")
    assert await writer.run(insert("call_1")) == 1
    other.close()
    writer.close()


async def test_a_caller_who_left_before_its_turn_records_nothing(
    writer: Writer, path: Path, gate: threading.Event
) -> None:
    held = await hold(writer, gate)
    left = asyncio.ensure_future(writer.run(insert("call_1")))
    while not writer.queue_length:
        await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    gate.set()
    await held
    await writer.run(insert("call_2"))
    assert stored(path) == ["call_2"]


async def test_close_finishes_what_waits_and_refuses_what_comes(
    path: Path, gate: threading.Event
) -> None:
    writer = Writer(connect_writer(path))
    held = await hold(writer, gate)
    waiting = [asyncio.ensure_future(writer.run(insert(f"call_{n}"))) for n in range(3)]
    while writer.queue_length < 3:
        await asyncio.sleep(0)
    closing = asyncio.ensure_future(asyncio.to_thread(writer.close))
    with pytest.raises(Unavailable, match="Shutting down"):
        await ask_until_refused(writer)
    gate.set()
    await asyncio.gather(held, closing)
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    assert stored(path) == ["call_0", "call_1", "call_2"]


@pytest.fixture
def damaged_path(path: Path) -> Path:
    """A file of whose table `rooms` no row can be read."""
    connection = connect_writer(path)
    connection.execute("CREATE TABLE rooms (room_id TEXT, beds INTEGER) STRICT")
    connection.execute("INSERT INTO rooms VALUES ('ward 7', 2)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    (page,) = (each for each in pages(path) if each.name == "rooms")
    data[page.start : page.start + PAGE_BYTES] = bytes(PAGE_BYTES)
    path.write_bytes(data)
    return path


async def test_a_job_that_meets_damage_fails_alone_and_the_log_names_the_table(
    damaged_path: Path,
) -> None:
    writer = Writer(connect_writer(damaged_path))
    gate = threading.Event()
    told: list[str] = []

    def add_bed(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO calls VALUES ('call_of_the_damaged_job', 88)")
        connection.execute("UPDATE rooms SET beds = beds + 1")

    def job(name: str) -> asyncio.Future[Any]:
        return asyncio.ensure_future(
            writer.run(
                insert(name),
                rolled_back=lambda: told.append(f"{name} rolled back"),
                committed=lambda: told.append(f"{name} committed"),
            )
        )

    try:
        with structlog.testing.capture_logs() as logged:
            held = await hold(writer, gate)
            before = job("call_before")
            damaged = asyncio.ensure_future(writer.run(add_bed))
            after = job("call_after")
            await asyncio.sleep(0)
            gate.set()
            await held
            assert await before == await after == 1
            with pytest.raises(StorageDamaged, match="Stored data is damaged"):
                await damaged
            assert await writer.run(insert("call_later")) == 1
    finally:
        gate.set()
        writer.close()
    assert stored(damaged_path) == ["call_after", "call_before", "call_later"]
    assert told == ["call_before rolled back", "call_before committed", "call_after committed"]
    (problem,) = (each for each in logged if each["event"] == "storage_damaged")
    assert problem["tables"] == ["rooms"]
