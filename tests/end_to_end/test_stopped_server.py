"""A server that hangs, stopped by SIGSTOP: callers are told in time, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.commands.command import vumeter
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.killing import asking, assert_whole_and_once, running
from tests.end_to_end.processes import server_of, servers_of
from tests.end_to_end.recorders import TEN_YEARS, StreamRecorder, stored
from tests.end_to_end.repeating import PATH, POINT, Recording, end, recordings_of
from tests.stack import ADMIN_TOKEN, Stack, is_running
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.sqlite.library import sqlite3

# Envoy gives up after 15 seconds; the rest is what a busy machine takes.
TOLD_WITHIN_SECONDS = 30
LOOKED_AT_SECONDS = 0.5
UNAVAILABLE, TIMED_OUT = (503, 14), (504, 4)

pytestmark = pytest.mark.timeout(300)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let all threads of a process stand still for the length of the context."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep everybody else from writing to a database for the length of the context."""
    with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def anything_recorded(recordings: list[Recording]) -> bool:
    """Whether points are recorded, looked at for a moment."""
    before = [len(each.recorded) for each in recordings]
    time.sleep(LOOKED_AT_SECONDS)
    return before != [len(each.recorded) for each in recordings]


def health(stack: Stack) -> int:
    return requests.get(stack.rest_url + "/healthz", timeout=TOLD_WITHIN_SECONDS).status_code


def query(caller: Caller) -> Answer:
    return caller.get(PATH + "/aggregate", **TEN_YEARS)


class Asking(threading.Thread):
    """Somebody who asks once."""

    def __init__(self, stack: Stack, key: NewKey) -> None:
        super().__init__(daemon=True)
        self._stack, self._key = stack, key

    def run(self) -> None:
        with asking(self._stack, self._key) as caller:
            began = time.monotonic()
            answer = query(caller)
            self.answer = (answer.status, answer.code)
            self.seconds = time.monotonic() - began


def assert_told_in_time(recordings: list[Recording]) -> set[tuple[int, int]]:
    """Look at what those were told who have recorded; return how they were refused."""
    refused = {answer for each in recordings for answer in each.refused}
    assert refused <= {UNAVAILABLE, TIMED_OUT}
    assert max(each.longest_seconds for each in recordings) < TOLD_WITHIN_SECONDS
    return refused


def test_a_server_that_hangs_goes_on_with_all_that_it_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path) as stack:
        key = stack.make_key()
        with asking(stack, key) as caller:
            stream = StreamRecorder("stream", caller)
            stream.start()
            recordings = recordings_of(stack, key)
            until(lambda: all(len(each.recorded) > 5 for each in recordings))
            until(lambda: len(stream.acknowledged) > 10)
            server = server_of(stack)
            with stopped(server):
                queries = [Asking(stack, key) for _ in range(4)]
                for each in queries:
                    each.start()
                until(lambda: health(stack) == 503)
                acknowledged = len(stream.acknowledged)
                # Who comes now is not kept waiting.
                for answer in (caller.post(PATH, POINT), query(caller)):
                    assert (answer.status, answer.code) == UNAVAILABLE
                for each in queries:
                    each.join()
                    assert each.answer in (UNAVAILABLE, TIMED_OUT)
                    assert each.seconds < TOLD_WITHIN_SECONDS
                until(lambda: all(each.refused for each in recordings))
                # Nobody was told more, and nothing is ended for it.
                assert len(stream.acknowledged) == acknowledged
                assert stack.process.poll() is None
                assert is_running(server)
            until(lambda: health(stack) == 200)
            until(lambda: len(stream.acknowledged) > acknowledged)
            expected = end(recordings)
            assert TIMED_OUT in assert_told_in_time(recordings)
            assert stack.stop() == 0
            stream.join()
    assert "Traceback" not in stack.log.read_text()
    with running(tmp_path) as stack, asking(stack, key) as caller:
        found = stored(caller)
        assert {batch: found.pop(batch) for batch in expected} == expected
        assert_whole_and_once(found, [stream])
    assert vumeter("db", "check", db=stack.db_path) == "no problem found\n"


def test_a_server_that_hangs_for_good_is_killed_when_the_product_ends(tmp_path: Path) -> None:
    with running(tmp_path) as stack:
        key = stack.make_key()
        expected = end(recordings_of(stack, key, once=True))
        server = server_of(stack)
        os.kill(server, signal.SIGSTOP)
        assert stack.stop() == 0
        assert not is_running(server)
    with running(tmp_path) as stack, asking(stack, key) as caller:
        assert stored(caller) == expected


def test_while_a_worker_hangs_that_does_not_write_the_others_take_its_part(tmp_path: Path) -> None:
    with running(tmp_path, VUMETER_WORKERS="2") as stack:
        key = stack.make_key()
        with asking(stack, key) as caller:
            recordings = recordings_of(stack, key)
            until(lambda: all(len(each.recorded) > 5 for each in recordings))
            with stopped(servers_of(stack)[-1]):
                # Some of them are sent to it, and again to another one.
                until(lambda: any(each.refused for each in recordings))
                expected = end(recordings)
                assert_told_in_time(recordings)
                until(lambda: health(stack) == 200)
                assert stored(caller) == expected
            # What it does late is a repeat.
            until(lambda: query(caller).status == 200)
            assert stored(caller) == expected
            assert stack.stop() == 0
    with running(tmp_path) as stack, asking(stack, key) as caller:
        assert stored(caller) == expected


def test_while_the_worker_that_writes_hangs_the_others_answer_queries(tmp_path: Path) -> None:
    with running(tmp_path, VUMETER_WORKERS="2") as stack:
        key = stack.make_key()
        with asking(stack, key) as caller:
            recordings = recordings_of(stack, key)
            until(lambda: all(len(each.recorded) > 5 for each in recordings))
            with contextlib.ExitStack() as standing:
                with locked(stack.db_path):
                    # What it has begun now is stored when it goes on, after callers gave up.
                    until(lambda: not anything_recorded(recordings))
                    standing.enter_context(stopped(servers_of(stack)[0]))
                # It alone knows what live metrics are.
                live = caller.showing({"x-admin-token": ADMIN_TOKEN}).get("/api/v1/metrics/live")
                assert (live.status, live.code) == TIMED_OUT
                until(lambda: all(each.refused for each in recordings), seconds=60)
                # By now Envoy has noticed; each query is answered by another one.
                until(lambda: query(caller).status == 200)
                recorded = {batch for each in recordings for batch in each.recorded}
                assert recorded <= stored(caller).keys()
                assert health(stack) == 200
            expected = end(recordings)
            assert TIMED_OUT in assert_told_in_time(recordings)
            assert stored(caller) == expected
            assert stack.stop() == 0
    with running(tmp_path) as stack, asking(stack, key) as caller:
        assert stored(caller) == expected
