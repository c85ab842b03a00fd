"""Streams that are read ahead."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from vumeter_server.commands.files import ahead
from vumeter_server.commands.files.ahead import ReadAhead

WAIT_SECONDS = 20.0


class Numbers:
    """A stream of numbers as bytes, with an error or its end behind them."""

    def __init__(self, count: int | None, error: Exception | None = None) -> None:
        self._numbers: Iterator[int] = itertools.count() if count is None else iter(range(count))
        self._error = error
        self.was_read = threading.Semaphore(0)
        self.is_cancelled = threading.Event()

    def __next__(self) -> bytes:
        number = next(self._numbers, None)
        if number is None:
            raise self._error or StopIteration
        self.was_read.release()
        return b"%d" % number

    def cancel(self) -> bool:
        self.is_cancelled.set()
        return True


def test_messages_come_in_order_and_then_the_end() -> None:
    read = ReadAhead(Numbers(1_000))
    assert [int(each) for each in read] == list(range(1_000))
    assert next(read, None) is None


def test_what_breaks_a_stream_is_raised_behind_the_messages_before_it() -> None:
    read = ReadAhead(Numbers(2, ConnectionError("gone")))
    assert [next(read), next(read)] == [b"0", b"1"]
    with pytest.raises(ConnectionError, match="gone"):
        next(read)


def test_no_more_is_read_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MAX_BYTES", 3)
    numbers = Numbers(None)
    read = ReadAhead(numbers)
    # Three that have room, and one that waits for it.
    for _ in range(4):
        assert numbers.was_read.acquire(timeout=WAIT_SECONDS)
    assert not numbers.was_read.acquire(timeout=0.2)
    assert next(read) == b"0"
    assert numbers.was_read.acquire(timeout=WAIT_SECONDS)
    assert not numbers.was_read.acquire(timeout=0.2)
    read.close()


def test_a_closed_stream_is_cancelled_and_its_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MAX_BYTES", 1)
    before = set(threading.enumerate())
    numbers = Numbers(None)
    read = ReadAhead(numbers)
    (thread,) = set(threading.enumerate()) - before
    assert numbers.was_read.acquire(timeout=WAIT_SECONDS)
    read.close()
    assert numbers.is_cancelled.is_set()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
