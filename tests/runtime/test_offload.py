"""What is large is done in a thread, in order; what is small where it is asked."""

from __future__ import annotations

import asyncio
import threading

import pytest

from vumeter_server.errors import Unavailable
from vumeter_server.runtime import offload
from vumeter_server.runtime.offload import Aside


async def test_what_is_small_is_done_where_it_is_asked_and_what_is_large_in_a_thread() -> None:
    work = Aside("test", from_size=10)
    assert await work.run(threading.get_ident, size=9) == threading.get_ident()
    assert await work.run(threading.get_ident, size=10) != threading.get_ident()


async def test_what_is_small_does_not_overtake_what_is_large() -> None:
    work = Aside("test", from_size=10)
    begin, done = threading.Event(), []

    def large() -> None:
        begin.wait()
        done.append("large")

    first = asyncio.create_task(work.run(large, size=10))
    await asyncio.sleep(0)
    second = asyncio.create_task(work.run(lambda: done.append("small"), size=1))
    await asyncio.sleep(0)
    begin.set()
    await asyncio.gather(first, second)
    assert done == ["large", "small"]


async def test_when_too_much_waits_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "MAX_WAITING", 1)
    work = Aside("test", from_size=10)
    begin = threading.Event()
    waiting = asyncio.create_task(work.run(begin.wait, size=10))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await work.run(lambda: None, size=10)
    begin.set()
    assert await waiting
    assert await work.run(lambda: "done", size=10) == "done"
