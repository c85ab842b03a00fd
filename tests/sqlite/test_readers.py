"""The readers: snapshots, two lanes, and queries that end when nobody waits for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vumeter_server.errors import NotFound, Unavailable
from vumeter_server.sqlite import Readers, check_cancelled
from vumeter_server.sqlite.connections import connect_reader, connect_writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.readers import Cancelled

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "calls.db"
    connection = connect_writer(path)
    connection.execute("CREATE TABLE calls (call_id TEXT PRIMARY KEY) STRICT")
    connection.close()
    return path


@pytest.fixture
def readers(path: Path) -> Iterator[Readers]:
    readers = Readers(lambda: connect_reader(path))
    yield readers
    readers.close()


def count(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT count(*) FROM calls").fetchone()
    return int(found)


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def test_a_query_reads_one_snapshot_however_much_is_written_meanwhile(
    readers: Readers, path: Path
) -> None:
    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        before = count(connection)
        writing = connect_writer(path)
        writing.execute("INSERT INTO calls VALUES ('call_1')")
        writing.close()
        return before, count(connection)

    assert await readers.run(twice) == (0, 0)
    assert await readers.run(count) == 1


async def test_a_reader_cannot_write(readers: Readers) -> None:
    with pytest.raises(Unavailable):
        await readers.run(lambda connection: connection.execute("DELETE FROM calls"))
    assert await readers.run(count) == 0


async def test_what_a_query_raises_is_raised_to_its_caller(readers: Readers) -> None:
    def unknown(connection: sqlite3.Connection) -> None:
        raise NotFound("Run test not found.")

    with pytest.raises(NotFound, match="Run test not found"):
        await readers.run(unknown)
    assert await readers.run(count) == 0


@pytest.mark.parametrize("heavy", [False, True])
async def test_a_deadline_interrupts_sqlite_and_frees_the_thread(
    readers: Readers, heavy: bool
) -> None:
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await readers.run(
                    lambda connection: connection.execute(ENDLESS).fetchone(), heavy=heavy
                )
    async with asyncio.timeout(10):
        assert await readers.run(count, heavy=heavy) == 0


async def test_a_deadline_ends_long_work_outside_of_sqlite(readers: Readers) -> None:
    began, ended = threading.Event(), threading.Event()

    def endless(connection: sqlite3.Connection) -> None:
        began.set()
        try:
            while True:
                check_cancelled()
                time.sleep(0.001)
        except Cancelled:
            ended.set()
            raise

    asked = asyncio.ensure_future(readers.run(endless))
    await until(began)
    asked.cancel()
    await until(ended)
    assert await readers.run(count) == 0


async def test_a_query_whose_caller_left_while_it_waited_is_not_begun(readers: Readers) -> None:
    gate = threading.Event()
    begun: list[int] = []
    held = [asyncio.ensure_future(readers.run(lambda _: gate.wait())) for _ in range(4)]
    left = asyncio.ensure_future(readers.run(lambda _: begun.append(1)))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*held)
    assert await readers.run(count) == 0
    assert begun == []


async def test_heavy_queries_do_not_hold_up_quick_ones(readers: Readers) -> None:
    gate = threading.Event()
    heavy = [
        asyncio.ensure_future(readers.run(lambda _: gate.wait(), heavy=True)) for _ in range(10)
    ]
    async with asyncio.timeout(10):
        assert await readers.run(count) == 0
    gate.set()
    await asyncio.gather(*heavy)


async def test_too_many_waiting_queries_are_unavailable(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vumeter_server.sqlite.readers.MAX_QUERIES_WAITING", 2)
    gate, began = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        began.set()
        gate.wait()

    held = [asyncio.ensure_future(readers.run(hold))]
    await until(began)
    while not held[-1].done():
        held.append(asyncio.ensure_future(readers.run(hold)))
        await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Storage is busy"):
        await held.pop()
    gate.set()
    await asyncio.gather(*held)


async def test_close_lets_the_running_query_finish(path: Path) -> None:
    readers = Readers(lambda: connect_reader(path))
    gate, began = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> int:
        began.set()
        gate.wait()
        return count(connection)

    asked = asyncio.ensure_future(readers.run(slow))
    await until(began)
    closing = asyncio.ensure_future(asyncio.to_thread(readers.close))
    gate.set()
    assert await asked == 0
    await closing


def test_storage_that_fails_a_read_in_the_caller_s_thread_is_unavailable(readers: Readers) -> None:
    for peek in (readers.peek, readers.peek_at_rows):
        with pytest.raises(Unavailable, match="Storage is busy or full"):
            peek(lambda connection: connection.execute("SELECT * FROM nothing"))
    assert readers.peek(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
