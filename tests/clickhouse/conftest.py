"""ClickHouse as tests have it: the engine in this process, and a cluster of three nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.clickhouse.in_process import in_process_clickhouse

from vumeter_server.clickhouse import ClickHouse


@pytest.fixture(params=["in process", "cluster"])
async def clickhouse(request: pytest.FixtureRequest) -> AsyncIterator[ClickHouse]:
    """An empty database with the tables of this version."""
    if request.param == "cluster":
        cluster = request.getfixturevalue("clickhouse_cluster")
        async with cluster.clickhouse() as opened:
            yield opened
    else:
        async with in_process_clickhouse() as opened:
            yield opened
