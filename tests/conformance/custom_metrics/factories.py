"""How the suite opens each store of custom metrics: add a new one to FACTORIES."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.clickhouse.places import PLACES
from tests.conformance.custom_metrics.clickhouse_factories import on
from tests.conformance.custom_metrics.memory import MemoryMetricAdministration, MemoryMetricStore
from tests.conformance.custom_metrics.memory_data import Data
from tests.conformance.custom_metrics.memory_usage import MemoryUsageStore
from tests.conformance.custom_metrics.subjects import (
    NOON_US,
    RETENTION_DAYS,
    Factory,
    Noted,
    SteppedClock,
    Subject,
)
from tests.conformance.failing import memory_failures, sqlite_failures

from vumeter_server.access.sqlite.audit import SqliteAuditAdministration
from vumeter_server.custom_metrics.sqlite import SqliteMetricAdministration, SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest import label_codes, symbol_tables
from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.runtime.actors import SERVER
from vumeter_server.sqlite import open_database

__all__ = [
    "FACTORIES",
    "NOON_US",
    "RETENTION_DAYS",
    "Factory",
    "SteppedClock",
    "Subject",
    "memory",
    "sqlite",
]


@contextlib.contextmanager
def sqlite(path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
    """Open the store in SQLite."""
    database = open_database(path / "vumeter.db")
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, clock, retention_days=RETENTION_DAYS)

    def add_organization(name: str) -> int:
        sql = "INSERT INTO organizations (name, created_us) VALUES (?, 0)"
        return database.write(lambda connection: connection.execute(sql, (name,)).lastrowid or 0)

    def noted(organization: str) -> list[Noted]:
        found = SqliteAuditAdministration(database).entries(most=100, organization=organization)
        return [(each.action, each.details) for each in found[::-1] if each.actor == SERVER]

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
        noted=noted,
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
        noted=lambda organization: data.organizations[data.ids[organization]].noted,
        problems=list,
        failures=memory_failures(set_unavailable),
        limited_to=limited_to,
    )
    with subject.runner:
        yield subject


FACTORIES: Final[Mapping[str, Factory]] = {
    "sqlite": sqlite,
    "memory": memory,
    **{name: on(place) for name, place in PLACES.items()},
}
