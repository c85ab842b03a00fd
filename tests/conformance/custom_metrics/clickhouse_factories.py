"""How the suite opens the store on ClickHouse."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.clickhouse.cluster import ClickHouseCluster, running_cluster
from tests.clickhouse.in_process import InProcessClickHouse
from tests.conformance.custom_metrics.subjects import RETENTION_DAYS, Subject
from tests.conformance.failing import Failure

from vumeter_server.clickhouse import ClickHouse, Layout
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.clickhouse.migrations import m0002_custom_metrics
from vumeter_server.custom_metrics.clickhouse import (
    ClickHouseMetricAdministration,
    ClickHouseMetricStore,
    admission,
)
from vumeter_server.custom_metrics.clickhouse.schema import POINTS, REJECTIONS
from vumeter_server.custom_metrics.clickhouse.verification import find_problems

Open = Callable[[str], ClickHouse]
"""Returns a client of a database of that name, which may not be there yet."""

_ids: dict[Path, dict[str, int]] = {}
_databases: dict[Path, str] = {}
_organizations = itertools.count(1)


@contextlib.contextmanager
def chdb(path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
    """Open the store on ClickHouse's engine in this process, in a database of the path's own."""
    with _opened(lambda name: InProcessClickHouse(Layout(database=name)), path, clock) as subject:
        yield subject


@contextlib.contextmanager
def cluster(path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
    """Open the store on three nodes, in a database of the path's own."""
    nodes = _running_cluster()
    with _opened(lambda name: HttpClickHouse.at(nodes.address(name), ""), path, clock) as subject:
        yield subject


@functools.cache
def _running_cluster() -> ClickHouseCluster:
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vumeter-nodes-")))
    return stack.enter_context(running_cluster(directory))


@contextlib.contextmanager
def _opened(open_client: Open, path: Path, clock: Callable[[], int]) -> Iterator[Subject]:
    runner = asyncio.Runner()
    is_new = path not in _databases
    name = _databases.setdefault(path, f"metrics_{len(_databases)}")
    clickhouse, ids = open_client(name), _ids.setdefault(path, {})
    if is_new:
        runner.run(_make(clickhouse))
    store = ClickHouseMetricStore(clickhouse, clock, retention_days=RETENTION_DAYS)

    def add_organization(name: str) -> int:
        ids[name] = next(_organizations)
        return ids[name]

    async def find(name: str) -> int | None:
        return ids.get(name)

    async def flush() -> None:
        await store.maintenance.remove_hidden(after_us=0)

    async def drop() -> None:
        await store.maintenance.drop_expired()
        await store.maintenance.remove_hidden(after_us=0)
        await store.maintenance.forget_outdated()

    @contextlib.contextmanager
    def limited_to(metrics: int, tag_values: int) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(admission, "MAX_METRICS", metrics)
            patched.setattr(admission, "MAX_LABELS", tag_values)
            yield

    subject = Subject(
        store=store,
        usage=store.usage,
        administration=ClickHouseMetricAdministration(store, find, runner.run),
        add_organization=add_organization,
        flush=flush,
        drop=drop,
        problems=lambda: runner.run(find_problems(clickhouse, store)),
        failures=clickhouse_failures(clickhouse),
        limited_to=limited_to,
        runner=runner,
    )
    with runner:
        yield subject
        runner.run(clickhouse.close())


async def _make(clickhouse: ClickHouse) -> None:
    layout = clickhouse.layout
    for node in clickhouse.nodes:
        for statement in (layout.create_database(), *m0002_custom_metrics.statements(layout)):
            await node.command(statement)


_SETTINGS: Final[Mapping[str, str]] = {
    # Neither is ever reached by itself: an insert fails as on a full disk, or with too many parts.
    "full": "min_free_disk_bytes_to_perform_insert = 1000000000000000",
    "locked": "parts_to_delay_insert = 1, parts_to_throw_insert = 0",
}


def clickhouse_failures(clickhouse: ClickHouse) -> Mapping[str, Failure]:
    """Return how the nodes refuse to store."""

    def failing(settings: str) -> Failure:
        names = [each.partition(" = ")[0] for each in settings.split(", ")]

        @contextlib.asynccontextmanager
        async def refusing() -> AsyncIterator[None]:
            await _alter(clickhouse, f"MODIFY SETTING {settings}")
            yield
            await _alter(clickhouse, f"RESET SETTING {', '.join(names)}")

        return refusing

    return {name: failing(settings) for name, settings in _SETTINGS.items()}


async def _alter(clickhouse: ClickHouse, change: str) -> None:
    for node in clickhouse.nodes:
        for table in (POINTS, REJECTIONS):
            await node.command(f"ALTER TABLE {clickhouse.layout.local(table)} {change}")
