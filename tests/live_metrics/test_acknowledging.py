"""Streams acknowledged in steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics import acknowledging
from vumeter_server.live_metrics.acknowledging import in_steps


async def one_by_one(*numbers: int, read: asyncio.Event | None = None) -> AsyncIterator[int]:
    """Yield numbers, and set `read` when all of them were taken."""
    for number in numbers:
        yield number
    if read is not None:
        read.set()


async def test_what_comes_in_during_a_step_is_the_next_step() -> None:
    steps: list[list[int]] = []
    read = asyncio.Event()

    async def work(numbers: list[int]) -> list[int]:
        steps.append(numbers)
        await read.wait()
        return [number * 10 for number in numbers]

    requests = one_by_one(1, 2, 3, 4, read=read)
    results = [
        each
        async for done in in_steps(requests, lambda _: 1, work, asyncio.Event())
        for each in done
    ]
    assert results == [10, 20, 30, 40]
    assert len(steps) <= 2


async def test_a_step_has_a_largest_size_but_takes_one_request_of_any_size() -> None:
    async def work(numbers: list[int]) -> list[int]:
        return numbers

    requests = one_by_one(600, 400, 1, 5_000, 1, 2)
    steps = [done async for done in in_steps(requests, lambda size: size, work, asyncio.Event())]
    assert steps == [[600, 400], [1], [5_000], [1, 2]]


async def test_no_more_is_read_while_enough_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledging, "MAX_WAITING", 3)
    monkeypatch.setattr(acknowledging, "MAX_STEP", 1)
    read = 0
    released = asyncio.Event()

    async def requests() -> AsyncIterator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            yield number

    async def work(numbers: list[int]) -> list[int]:
        await released.wait()
        return numbers

    results = in_steps(requests(), lambda _: 1, work, asyncio.Event())
    first = asyncio.ensure_future(anext(results))
    await asyncio.sleep(0.05)
    assert read <= 5
    released.set()
    rest = [each async for done in results for each in done] if await first else []
    assert rest == list(range(1, 100))


async def test_what_came_before_a_broken_request_is_still_answered() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ValueError("cannot be read")

    async def work(numbers: list[int]) -> list[int]:
        return numbers

    steps = in_steps(broken(), lambda _: 1, work, asyncio.Event())
    assert await anext(steps) == [1]
    with pytest.raises(ValueError, match="cannot be read"):
        await anext(steps)


async def test_what_was_read_before_the_server_stops_is_done_and_no_more_is_read() -> None:
    ending = asyncio.Event()
    released = asyncio.Event()
    read = asyncio.Event()

    async def endless() -> AsyncIterator[int]:
        yield 1
        yield 2
        read.set()
        await asyncio.Event().wait()

    async def work(numbers: list[int]) -> list[int]:
        await released.wait()
        return numbers

    steps = in_steps(endless(), lambda _: 1, work, ending)
    first = asyncio.ensure_future(anext(steps))
    await read.wait()
    ending.set()
    await asyncio.sleep(0.01)
    released.set()
    assert [*await first, *([] if len(await first) == 2 else await anext(steps))] == [1, 2]
    with pytest.raises(Unavailable, match="Shutting down"):
        await anext(steps)
