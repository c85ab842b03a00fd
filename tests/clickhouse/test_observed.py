"""What a server sees of ClickHouse: spans of what it asks, and damage by table.

The engine is that of this process; its files are damaged beneath it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pyarrow as pa
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr
from tests.clickhouse.in_process import InProcessClickHouse, in_process_clickhouse
from tests.telemetry.scraping import scrape
from tests.waiting import comes_to_hold

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc
from vumeter_server import app
from vumeter_server.access.clickhouse.administration import ClickHouseKeyAdministration
from vumeter_server.access.roles import Role
from vumeter_server.api import server as server_module
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.observed import ObservedClickHouse
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.damage import Damage
from vumeter_server.runtime.settings import Settings
from vumeter_server.stores import on_clickhouse
from vumeter_server.telemetry.spans import start_spans_by

DAMAGED = (grpc.StatusCode.INTERNAL, "Stored data is damaged")


@pytest.fixture
async def inner() -> AsyncIterator[InProcessClickHouse]:
    async with in_process_clickhouse() as clickhouse:
        yield clickhouse


async def damage_parts(clickhouse: InProcessClickHouse, table: str) -> None:
    """Flip a bit in every compressed block of a table's data."""
    found = await clickhouse.query(
        "SELECT path FROM system.parts WHERE active AND database = {database:String}"
        " AND table = {table:String}",
        {"database": clickhouse.layout.database, "table": f"{table}_local"},
    )
    parts = found.column("path").to_pylist()
    assert parts
    await asyncio.to_thread(_flip, parts)


def _flip(parts: Sequence[str]) -> None:
    for file in (file for part in parts for file in Path(part).glob("*.bin")):
        data = bytearray(file.read_bytes())
        block = 0
        while block < len(data):
            # 16 bytes of checksum, a method, and how long the block is without its checksum.
            length = 16 + int.from_bytes(data[block + 17 : block + 21], "little")
            data[block + length - 1] ^= 1
            block += length
        file.write_bytes(data)


async def insert_a_clock(clickhouse: ObservedClickHouse) -> None:
    row = {name: pa.array([1], pa.int64()) for name in ("log", "seen_us", "untrusted_for_us")}
    await clickhouse.insert(clickhouse.layout.writes("clock_records"), pa.table(row), token="a")


async def test_what_is_asked_has_spans_as_on_a_file(inner: InProcessClickHouse) -> None:
    spans: list[tuple[str, Any]] = []

    @contextlib.contextmanager
    def start(name: str, attributes: Any) -> Iterator[None]:
        spans.append((name, dict(attributes)))
        yield

    clickhouse = ObservedClickHouse(inner, Damage())
    start_spans_by(start)
    try:
        await insert_a_clock(clickhouse)
        await clickhouse.query(f"SELECT seen_us FROM {inner.layout.reads('clock_records')}")
        (node,) = clickhouse.nodes
        await node.command(
            f"ALTER TABLE {inner.layout.local('clock_records')} DELETE WHERE log = 0"
        )
    finally:
        start_spans_by(None)
    database = {"db.system.name": "clickhouse"}
    assert spans == [("write", database), ("read", database), ("write", database)]


async def test_damage_is_noted_by_the_table_where_it_is_met(inner: InProcessClickHouse) -> None:
    damage = Damage()
    clickhouse = ObservedClickHouse(inner, damage)
    await insert_a_clock(clickhouse)
    ask = f"SELECT seen_us FROM {inner.layout.reads('clock_records')}"
    await clickhouse.query(ask)
    assert not damage.is_met
    await damage_parts(inner, "clock_records")
    with pytest.raises(StorageDamaged):
        await clickhouse.query(ask)
    assert damage.tables == ["clock_records"]


@contextlib.asynccontextmanager
async def served(
    clickhouse: InProcessClickHouse, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[grpc.aio.Channel, str]]:
    """Run a server, and return where its own metrics are."""

    @contextlib.asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncIterator[InProcessClickHouse]:
        yield clickhouse

    monkeypatch.setattr(on_clickhouse, "opened_clickhouse", opened)
    monkeypatch.setattr(server_module, "DRAIN_NOTICE_SECONDS", 0.0)
    settings = Settings(
        store="clickhouse://default@127.0.0.1/vumeter",
        grpc_port=0,
        admin_token=SecretStr("token-of-the-tests-0123456789abcdef"),
    )
    with structlog.testing.capture_logs() as logged:
        async with (
            app.running(settings) as port,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            (shown,) = [each["url"] for each in logged if each["event"] == "metrics"]
            yield channel, shown


async def test_a_server_says_what_it_runs_on_and_which_table_is_damaged(
    inner: InProcessClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocking = BlockingClickHouse(lambda: contextlib.nullcontext(inner))
    key = await asyncio.to_thread(
        lambda: ClickHouseKeyAdministration(blocking).create_key("acme", Role.OWNER, None)
    )
    metadata = [("authorization", f"Bearer {key.bearer}")]
    async with served(inner, monkeypatch) as (channel, url):
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel)

        async def status() -> int:
            request = health_pb2.HealthCheckRequest(service="vumeter.storage")
            return int((await health.Check(request)).status)

        request = pb.RecordPointsRequest(points=[pb.Point(name="turns")])
        await metrics.RecordPoints(request, metadata=metadata)
        found = await asyncio.to_thread(scrape, url)
        assert found.labels("vumeter_storage_damaged") == [{"worker": "1"}]
        assert found.value("vumeter_storage_damaged") == 0
        (build,) = found.labels("vumeter_build_info")
        version = (await inner.query("SELECT version() AS v")).column("v")[0].as_py()
        assert build["clickhouse_version"] == version
        assert "sqlite_version" not in build
        assert await status() == health_pb2.HealthCheckResponse.SERVING

        await damage_parts(inner, "metric_points")
        asked = pb.AggregateMetricsRequest(metric_names=["turns"])
        now = int(time.time())
        asked.selection.start_time.FromSeconds(now - 86_400)
        asked.selection.end_time.FromSeconds(now + 60)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await metrics.AggregateMetrics(asked, metadata=metadata)
        assert (caught.value.code(), caught.value.details()) == DAMAGED

        async def is_told() -> bool:
            return bool(await status() == health_pb2.HealthCheckResponse.NOT_SERVING)

        await comes_to_hold(is_told)
        found = await asyncio.to_thread(scrape, url)
        assert found.labels("vumeter_storage_damaged") == [
            {"worker": "1", "table": "metric_points"}
        ]
        assert found.value("vumeter_storage_damaged") == 1
