"""A store of custom metrics under test, and what tests may do to it beside its contract."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from tests.conformance.failing import Failure

from vumeter_server.custom_metrics.store import MetricAdministration, MetricStore
from vumeter_server.custom_metrics.usage_store import UsageStore

T = TypeVar("T")
Noted = tuple[str, dict[str, Any]]
"""An action and its details."""

NOON_US: Final = 1_743_508_800_000_000  # 2025-04-01T12:00:00Z
RETENTION_DAYS: Final = 30


@dataclass
class SteppedClock:
    """A clock that stands still until a test moves it."""

    now_us: int = NOON_US

    def __call__(self) -> int:
        return self.now_us


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A store under test, with its administration, for tests that are no coroutines.

    Attributes:
        add_organization: makes an organization of that name and returns its id.
        flush: does all background work that rearranges what is kept, whether due or not.
        drop: does all background work that drops what is old enough, and nothing else.
        noted: what the audit has of an organization by the server, the oldest first.
        problems: what of the stored data does not agree.
        failures: how its storage fails, by name, see `failing`.
        limited_to: within it, an organization has at most so many metrics and tag values.
    """

    store: MetricStore
    usage: UsageStore
    administration: MetricAdministration
    add_organization: Callable[[str], int]
    flush: Callable[[], Coroutine[Any, Any, None]]
    drop: Callable[[], Coroutine[Any, Any, None]]
    noted: Callable[[str], list[Noted]]
    problems: Callable[[], list[str]]
    failures: Mapping[str, Failure]
    limited_to: Callable[[int, int], AbstractContextManager[None]]
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine."""
        return self.runner.run(work)

    @contextlib.contextmanager
    def failing(self, failure: str) -> Iterator[None]:
        """Let storage fail to write, in one of the ways that `failing` lists."""
        failing = self.failures[failure]()
        self.run(failing.__aenter__())
        try:
            yield
        finally:
            self.run(failing.__aexit__(None, None, None))

    def maintain(self) -> None:
        """Do all background work now."""
        self.run(self.flush())
        self.run(self.drop())


class Factory(Protocol):
    """Opens the store that is kept at a path, and makes it if there is none.

    It keeps points for RETENTION_DAYS by `clock`. What was stored is still there when the path is
    opened again, later or at the same time.
    """

    def __call__(self, path: Path, clock: Callable[[], int]) -> AbstractContextManager[Subject]: ...
