"""How the suite opens each store of custom metrics: add a new one to FACTORIES."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import pytest
from tests.conformance.custom_metrics.memory import MemoryMetricAdministration, MemoryMetricStore
from tests.conformance.custom_metrics.memory_data import Data
from tests.conformance.custom_metrics.memory_usage import MemoryUsageStore
from tests.conformance.failing import Failure, memory_failures, sqlite_failures

from vumeter_server.custom_metrics.sqlite import SqliteMetricAdministration, SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest import label_codes, symbol_tables
from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.custom_metrics.store import MetricAdministration, MetricStore
from vumeter_server.custom_metrics.usage_store import UsageStore
from vumeter_server.sqlite import open_database

T = TypeVar("T")

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


@contextlib.contextmanager
def sqlite(path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
    """Open the store in SQLite."""
    database = open_database(path / "vumeter.db")
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, clock, retention_days=RETENTION_DAYS)

    def add_organization(name: str) -> int:
        sql = "INSERT INTO organizations (name, created_us) VALUES (?, 0)"
        return database.write(lambda connection: connection.execute(sql, (name,)).lastrowid or 0)

    async def flush() -> None:
        await store.maintenance.flush(everything=True)

    async def drop() -> None:
        await store.maintenance.drop_expired()
        await store.maintenance.vacuum()
        await store.maintenance._drop_idempotency_keys()

    @contextlib.contextmanager
    def limited_to(metrics: int, tag_values: int) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(symbol_tables, "MAX_METRICS", metrics)
            patched.setattr(label_codes, "MAX_LABELS", tag_values)
            yield

    subject = Subject(
        store=store,
        usage=store.usage,
        administration=SqliteMetricAdministration(database),
        add_organization=add_organization,
        flush=flush,
        drop=drop,
        problems=lambda: database.read(lambda connection: list(find_problems(connection))),
        failures=sqlite_failures(writer, database.path),
        limited_to=limited_to,
    )
    with subject.runner:
        try:
            yield subject
        finally:
            readers.close()
            writer.close()


_in_memory: dict[Path, Data] = {}


@contextlib.contextmanager
def memory(path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
    """Open the oracle."""
    data = _in_memory.setdefault(path, Data())
    store = MemoryMetricStore(data, clock, retention_days=RETENTION_DAYS)

    async def flush() -> None:
        """There is nothing to rearrange."""

    async def drop() -> None:
        store.maintain()

    def set_unavailable(is_unavailable: bool) -> None:
        data.is_unavailable = is_unavailable

    @contextlib.contextmanager
    def limited_to(metrics: int, tag_values: int) -> Iterator[None]:
        data.max_metrics, data.max_tag_values = metrics, tag_values
        yield
        data.max_metrics, data.max_tag_values = None, None

    subject = Subject(
        store=store,
        usage=MemoryUsageStore(data),
        administration=MemoryMetricAdministration(data),
        add_organization=data.add_organization,
        flush=flush,
        drop=drop,
        problems=list,
        failures=memory_failures(set_unavailable),
        limited_to=limited_to,
    )
    with subject.runner:
        yield subject


FACTORIES: Final[Mapping[str, Factory]] = {"sqlite": sqlite, "memory": memory}
