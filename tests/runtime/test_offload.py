"""Large work is offloaded to a thread, in order; small work stays on the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from vumeter_server.errors import Unavailable
from vumeter_server.runtime import offload
from vumeter_server.runtime.offload import Offload


async def test_small_work_stays_on_the_event_loop_and_large_work_goes_to_a_thread() -> None:
    work = Offload("test", from_size=10)
    assert await work.run(threading.get_ident, size=9) == threading.get_ident()
    assert await work.run(threading.get_ident, size=10) != threading.get_ident()


async def test_small_work_does_not_overtake_large_work() -> None:
    work = Offload("test", from_size=10)
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


async def test_work_beyond_the_bound_of_the_queue_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(offload, "MAX_WAITING", 1)
    work = Offload("test", from_size=10)
    begin = threading.Event()
    waiting = asyncio.create_task(work.run(begin.wait, size=10))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await work.run(lambda: None, size=10)
    begin.set()
    assert await waiting
    assert await work.run(lambda: "done", size=10) == "done"


async def test_an_error_of_offloaded_work_is_raised_where_it_was_asked_for() -> None:
    work = Offload("test", from_size=10)

    def fail() -> None:
        raise ValueError("broken")

    for size in (1, 10):
        with pytest.raises(ValueError, match="broken"):
            await work.run(fail, size=size)
    assert await work.run(lambda: "done", size=10) == "done"
