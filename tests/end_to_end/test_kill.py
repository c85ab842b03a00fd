"""`kill -9` of the server while several clients record, and while it lays points out in columns."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.effort import tries
from tests.end_to_end.killing import KINDS, asking, assert_whole_and_once, running
from tests.end_to_end.recorders import (
    RECORD,
    Recorder,
    request_of,
    size_of,
    stored,
)
from tests.stack import Stack
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.sqlite.library import sqlite3


def kill_server(stack: Stack) -> None:
    (server,) = [
        pid
        for pid in stack.children()
        if b"vumeter_server.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(server, signal.SIGKILL)
    stack.wait()


def record_until(
    stack: Stack, key: NewKey, run: str, condition: Callable[[list[Recorder]], bool]
) -> list[Recorder]:
    """Record with clients of every kind, kill the server at the condition; return the clients."""
    with asking(stack, key) as caller:
        clients = [kind(f"{run}-{kind.__name__}", caller) for kind in KINDS]
        for client in clients:
            client.start()
        until(
            lambda: all(client.acknowledged for client in clients) and condition(clients),
            every_seconds=0.005,
        )
        kill_server(stack)
        for client in clients:
            client.join()
    return clients


def test_after_kill_9_every_acknowledged_batch_is_there_whole_and_once(tmp_path: Path) -> None:
    with running(tmp_path) as stack:
        key = stack.make_key()
        clients = record_until(stack, key, "first", lambda all_: acknowledged(all_) > 100)
    with running(tmp_path) as stack, asking(stack, key) as caller:
        assert_whole_and_once(stored(caller), clients)
        # Who was not answered asks again, and so does somebody who was: all of it is there once.
        for client in clients:
            for batch in [*client.acknowledged[-5:], *client.unacknowledged]:
                assert caller.rpc(RECORD, request_of(batch)).body == {
                    "recorded": str(size_of(batch))
                }
        sent = [batch for client in clients for batch in client.sent]
        assert stored(caller) == {batch: size_of(batch) for batch in sent}


@pytest.mark.timeout(180)
def test_kill_9_while_points_are_flushed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    clients: list[Recorder] = []
    key: NewKey | None = None
    for run in range(tries(2, 10)):
        with running(tmp_path, VUMETER_FLUSH_AT_POINTS="500") as stack:
            key = key or stack.make_key()
            # A flush is followed at once by the next one, or by merging days that are full.
            clients += record_until(stack, key, f"run{run}", flushing(stack))
    with running(tmp_path, VUMETER_FLUSH_AT_POINTS="500") as stack:
        assert key is not None
        with asking(stack, key) as caller:
            assert_whole_and_once(stored(caller), clients)
        assert flushed_parts(stack) > 0
    assert "periodic_work_failed" not in stack.log.read_text()


def flushing(stack: Stack) -> Callable[[list[Recorder]], bool]:
    """Return whether another flush was made, as a condition."""
    before = flushed_parts(stack)
    return lambda _: flushed_parts(stack) > before


def acknowledged(clients: list[Recorder]) -> int:
    return sum(len(client.acknowledged) for client in clients)


def flushed_parts(stack: Stack) -> int:
    """Return the number of the last flushed batch of any day, 0 for none."""
    with closing(sqlite3.connect(f"file:{stack.db_path}?mode=ro", uri=True)) as connection:
        (part,) = connection.execute("SELECT coalesce(max(part), 0) FROM metric_days").fetchone()
    return int(part)
