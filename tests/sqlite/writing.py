"""Jobs of a writer that wait for each other, and what they leave."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vumeter_server.sqlite import Writer
from vumeter_server.sqlite.connections import connect_reader
from vumeter_server.sqlite.library import sqlite3

Job = Callable[[sqlite3.Connection], Any]


def insert(call_id: str, seconds: int = 88) -> Job:
    return lambda connection: (
        connection.execute("INSERT INTO calls VALUES (?, ?)", (call_id, seconds)).rowcount
    )


def stored(path: Path) -> list[str]:
    connection = connect_reader(path)
    rows = connection.execute("SELECT call_id FROM calls ORDER BY call_id").fetchall()
    connection.close()
    return [call_id for (call_id,) in rows]


async def hold(writer: Writer, gate: threading.Event) -> asyncio.Future[Any]:
    """Keep the writer in a transaction of its own until the gate is opened."""
    began = threading.Event()

    def wait(connection: sqlite3.Connection) -> None:
        began.set()
        gate.wait()

    held = asyncio.ensure_future(writer.run(wait))
    while not began.is_set():
        await asyncio.sleep(0)
    return held


async def ask_until_refused(writer: Writer) -> None:
    while True:
        late = asyncio.ensure_future(writer.run(insert("call_late")))
        await asyncio.sleep(0)
        late.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await late


async def in_one_transaction(
    writer: Writer, gate: threading.Event, *jobs: Job, **callbacks: Callable[[], None]
) -> list[Any]:
    """Run jobs that wait together; return results and exceptions."""
    held = await hold(writer, gate)
    waiting = [asyncio.ensure_future(writer.run(job, **callbacks)) for job in jobs]
    while writer.queue_length < len(jobs):
        await asyncio.sleep(0)
    gate.set()
    await held
    return await asyncio.gather(*waiting, return_exceptions=True)
