"""The one protocol of streams of batches, where batches are recorded together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from vumeter_server.api.streams import answers_of_steps
from vumeter_server.errors import Conflict, InvalidArgument, VumeterError

BAD = InvalidArgument.of("events[0].occurred_at", "must be given")


async def answers(*steps: Sequence[int | VumeterError]) -> list[tuple[int, int, str]]:
    async def each() -> AsyncIterator[Sequence[int | VumeterError]]:
        for step in steps:
            yield step

    return [
        (sequence, recorded, error.message if error else "")
        async for sequence, recorded, error in answers_of_steps(
            each(), {"occurred_at": "occur_time"}
        )
    ]


async def test_batches_that_were_recorded_together_share_an_answer() -> None:
    assert await answers([1, 2, 3], [4]) == [(3, 6, ""), (4, 4, "")]


async def test_a_rejected_batch_is_answered_alone_and_names_the_field_of_the_message() -> None:
    assert await answers([1, BAD, 2, 3], [Conflict("used before")], [], [0, 5]) == [
        (1, 1, ""),
        (2, 0, "events[0].occur_time must be given"),
        (4, 5, ""),
        (5, 0, "used before"),
        (7, 5, ""),
    ]


async def test_a_batch_that_holds_nothing_is_answered_too() -> None:
    assert await answers([0]) == [(1, 0, "")]
