"""A stream goes on while its credential is good, ends when it is not, and always leaves cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from vumeter_server.api.standing import Standing
from vumeter_server.errors import InvalidArgument, Unauthenticated


class Source:
    """Answers without end, after the last one in `ready` never, and knows when it was left."""

    def __init__(self, ready: int) -> None:
        self.ready = ready
        self.entered = asyncio.Event()
        self.left = False

    async def answers(self) -> AsyncGenerator[int, None]:
        self.entered.set()
        try:
            for number in range(self.ready):
                yield number
            await asyncio.Event().wait()
        finally:
            # Leaving may take a turn of the loop.
            await asyncio.sleep(0)
            self.left = True


class Credential:
    """Good for a number of checks."""

    def __init__(self, good_for: int) -> None:
        self.good_for = good_for

    async def check(self) -> None:
        self.good_for -= 1
        if self.good_for < 0:
            raise Unauthenticated


async def collect(answers: AsyncGenerator[int, None], told: list[int]) -> None:
    async for answer in answers:
        told.append(answer)


async def test_it_ends_between_answers_when_the_credential_is_good_no_more() -> None:
    source = Source(ready=2)
    told: list[int] = []
    with pytest.raises(Unauthenticated):
        await collect(Standing(Credential(2).check).answers(source.answers()), told)
    assert told == [0, 1]
    assert source.left


async def test_no_answer_is_given_after_the_credential_was_found_bad() -> None:
    source = Source(ready=1_000_000)
    told: list[int] = []
    with pytest.raises(Unauthenticated):
        await collect(Standing(Credential(0).check).answers(source.answers()), told)
    assert 0 < len(told) < source.ready
    assert source.left


async def test_who_leaves_between_answers_leaves_the_source_too() -> None:
    source = Source(ready=2)
    answers = Standing(Credential(100).check).answers(source.answers())
    assert await anext(answers) == 0
    await answers.aclose()
    assert source.left


async def test_who_is_cancelled_while_waiting_leaves_the_source_too() -> None:
    source = Source(ready=0)
    answers = Standing(Credential(100).check).answers(source.answers())
    waiting = asyncio.ensure_future(anext(answers))
    await source.entered.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert source.left


async def test_the_end_and_the_error_of_the_source_are_the_streams() -> None:
    async def two() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise InvalidArgument("no more")

    good = Credential(100)
    assert [each async for each in Standing(good.check).answers(two())] == [1, 2]
    told: list[int] = []
    with pytest.raises(InvalidArgument, match="no more"):
        await collect(Standing(good.check).answers(broken()), told)
    assert told == [1]
