"""Empty databases of ClickHouse, for factories: in this process, or on a cluster of three nodes."""

from __future__ import annotations

import atexit
import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from tests.clickhouse.chosen import CLUSTER_ID
from tests.clickhouse.cluster import ClickHouseCluster, new_database, running_cluster
from tests.clickhouse.in_process import empty_database
from tests.conformance.failing import Failure

from vumeter_server.clickhouse import ClickHouse, migrate
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.http import HttpClickHouse

_FAILING: Final = {
    "full": "min_free_disk_bytes_to_perform_insert = 1000000000000000000",
    "locked": "table_readonly = 1",
}


class ClickHousePlace:
    """A database with the tables of this version, and nothing in them."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[ClickHouse]]) -> None:
        self.opened = opened
        self.blocking = BlockingClickHouse(opened)
        self.blocking.run(migrate)

    @property
    def failures(self) -> Mapping[str, Failure]:
        """How it fails: its tables take nothing, for want of room or because they may not."""

        def failing(setting: str) -> Failure:
            @contextlib.asynccontextmanager
            async def fail() -> AsyncIterator[None]:
                async with self.opened() as clickhouse:
                    await _alter_tables(clickhouse, f"MODIFY SETTING {setting}")
                    yield
                    await _alter_tables(clickhouse, f"RESET SETTING {setting.partition(' ')[0]}")

            return fail

        return {name: failing(setting) for name, setting in _FAILING.items()}


async def _alter_tables(clickhouse: ClickHouse, change: str) -> None:
    for node in clickhouse.nodes:
        found = await node.query(
            "SELECT name FROM system.tables WHERE database = {database:String}"
            " AND name LIKE '%\\\\_local'",
            {"database": clickhouse.layout.database},
        )
        for name in found.column("name").to_pylist():
            await node.command(f"ALTER TABLE {clickhouse.layout.database}.{name} {change}")


def in_process_place() -> ClickHousePlace:
    """Return an empty database of the engine in this process."""
    clickhouse = empty_database()
    return ClickHousePlace(lambda: contextlib.nullcontext(clickhouse))


def cluster_place() -> ClickHousePlace:
    """Return an empty database of the cluster that the tests of this process share."""
    address = shared_cluster().address(new_database())

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[ClickHouse]:
        clickhouse = HttpClickHouse.at(address, "")
        try:
            yield clickhouse
        finally:
            await clickhouse.close()

    return ClickHousePlace(opened)


@functools.cache
def shared_cluster() -> ClickHouseCluster:
    """Return the cluster of all tests of this process that leave its nodes as they were."""
    opened = contextlib.ExitStack()
    directory = opened.enter_context(tempfile.TemporaryDirectory(prefix="vumeter-clickhouse-"))
    # Behind the directory's own end, and so before it: nodes end before their files go.
    atexit.register(opened.close)
    return opened.enter_context(running_cluster(Path(directory)))


PLACES: Mapping[str, Callable[[], ClickHousePlace]] = {
    "clickhouse": in_process_place,
    CLUSTER_ID: cluster_place,
}
"""What a factory may run on; `chosen.py` says what `make test` leaves out."""
