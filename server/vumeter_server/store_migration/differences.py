"""What differs between source and target, and how a part is compared and mended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vumeter_server.runtime.patience import patiently

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something that source and target do not have alike.

    `organization` is None for what belongs to none; `what` says in words what it is.
    """

    organization: str | None
    what: str

    def __str__(self) -> str:
        """Return one line."""
        return self.what if self.organization is None else f"{self.organization}: {self.what}"


Step = Callable[[bool], Awaitable[Sequence[Difference]]]
"""Compares a part and returns what differs; mends it too, if asked so."""


async def settled(step: Step, *, rounds: int) -> Sequence[Difference]:
    """Mend a part up to `rounds` times, and return what differs still.

    What was mended is compared again, so that nothing counts as equal that was not seen equal. A
    source that serves may go on to change.
    """
    for _ in range(rounds):
        if not await patiently(lambda: step(True)):
            return ()
    return await patiently(lambda: step(False))


async def merged(
    source: AsyncGenerator[T, None], target: AsyncGenerator[T, None], key: Callable[[T], Any]
) -> AsyncGenerator[tuple[T | None, T | None], None]:
    """Yield what both have under one key, None for what one has not; both ascend by key."""
    ours, theirs = await anext(source, None), await anext(target, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and key(ours) < key(theirs)):
            yield ours, None
            ours = await anext(source, None)
        elif ours is None or key(theirs) < key(ours):
            yield None, theirs
            theirs = await anext(target, None)
        else:
            yield ours, theirs
            ours, theirs = await anext(source, None), await anext(target, None)
