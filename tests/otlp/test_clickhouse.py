"""Exports are recorded on ClickHouse as they are in SQLite, by any number of servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.clickhouse.places import ClickHousePlace
from tests.conformance.custom_metrics.asking import plain
from tests.effort import tries
from tests.otlp.decoded import NOW_US, batch_of, body_of

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.exported import (
    ExportedBatch,
    ExportedMetric,
    Reason,
    RejectedPoint,
    Temporality,
)
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import ExportQuery, Selection, SumQuery
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest.exported import ExportRecorder
from vumeter_server.custom_metrics.store import Idempotency, MetricStore
from vumeter_server.errors import Conflict, Unavailable
from vumeter_server.otlp.clickhouse import ClickHouseExportStore
from vumeter_server.otlp.mapping import DEFAULT_MAPPING, AttributeMapping
from vumeter_server.otlp.sqlite.store import SqliteExportStore
from vumeter_server.otlp.store import ExportStore
from vumeter_server.sqlite import open_database

NAMES = (
    *("py-cumulative-1", "py-cumulative-2", "py-delta-exp", "node-proto-delta-exp"),
    "livekit-metrics",
)
ALL = SumQuery(selection=Selection(start_us=0, end_us=2**62))


Asking: TypeAlias = Callable[[ClickHouse], Awaitable[None]]


@pytest.fixture
def on_clickhouse(clickhouse_place: ClickHousePlace) -> Callable[[Asking], None]:
    """Runs a test on an empty database."""

    def run(ask: Asking) -> None:
        async def opened() -> None:
            async with clickhouse_place.opened() as clickhouse:
                await ask(clickhouse)

        asyncio.run(opened())

    return run


def exporting(clickhouse: ClickHouse) -> tuple[ClickHouseMetricStore, ClickHouseExportStore]:
    """Return the stores of a server."""
    store = ClickHouseMetricStore(clickhouse, lambda: NOW_US)
    return store, ClickHouseExportStore(store.log, lambda: NOW_US)


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Iterator[tuple[SqliteMetricStore, SqliteExportStore, int]]:
    database = open_database(tmp_path / "vumeter.db")
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, lambda: NOW_US)
    exports = SqliteExportStore(
        writer, readers, ExportRecorder(store.recorder), deletion_us=lambda: NOW_US
    )
    sql = "INSERT INTO organizations (name, created_us) VALUES ('Dr. Weber', 0)"
    number = database.write(lambda connection: connection.execute(sql).lastrowid)
    yield store, exports, number or 0
    readers.close()
    writer.close()


async def recorded(store: MetricStore, exports: ExportStore, organization_id: int) -> list[Any]:
    """Record what real exporters sent, and some of it again; return what is there then."""
    answers: list[Any] = []
    for number, name in enumerate([*NAMES, *NAMES[:3]]):
        outcome = await exports.record_exported(
            organization_id,
            batch_of(body_of(name)),
            key_id="vmk_1",
            notes={"cut": number % 2},
            idempotency=None,
            now_us=NOW_US,
        )
        answers.append((name, outcome.taken, len(outcome.rejected), outcome.notes))
    points = [
        point
        async for piece in store.export_points(organization_id, ExportQuery())
        for point in plain(piece.batch)
    ]
    metrics = await store.metrics(organization_id)
    found = await exports.rejections(organization_id)
    counts = sorted(
        (each.what, each.metric_name, each.points, each.last_us) for each in found.counts
    )
    latest = Counter((each.key_id, each.rejected_us, each.point) for each in found.latest)
    return [answers, points, metrics, counts, latest]


def test_what_exporters_sent_becomes_the_same_as_in_sqlite(
    in_sqlite: tuple[SqliteMetricStore, SqliteExportStore, int],
    on_clickhouse: Callable[[Asking], None],
) -> None:
    expected = asyncio.run(recorded(*in_sqlite))
    assert expected[1]

    async def compare(clickhouse: ClickHouse) -> None:
        found = await recorded(*exporting(clickhouse), 7)
        for one, other in zip(found, expected, strict=True):
            assert one == other

    on_clickhouse(compare)


def cumulative(value: float, second: int) -> ExportedBatch:
    """Return one point of a counter that started at second 0."""
    start_ns = NOW_US * 1_000 - 3_600 * 10**9
    return ExportedBatch(
        metrics=[ExportedMetric(name="calls", type=MetricType.COUNTER, unit="1")],
        metric_indexes=[0],
        temporalities=[Temporality.CUMULATIVE],
        values=[value],
        histograms=[None],
        starts_ns=[start_ns],
        times_ns=[start_ns + second * 10**9],
        label_sets=[()],
        label_set_indexes=[0],
        session_ids=[""],
        streams=[b"s" * 16],
        series=[b"r" * 16],
    )


async def until_acknowledged(exports: ExportStore, batch: ExportedBatch) -> None:
    """Export, and try again, as exporters do."""
    while True:
        with contextlib.suppress(Unavailable):
            await exports.record_exported(
                7, batch, key_id="vmk_1", notes={}, idempotency=None, now_us=NOW_US
            )
            return


def test_a_series_that_reaches_several_servers_is_counted_once(
    on_clickhouse: Callable[[Asking], None],
) -> None:
    async def race(clickhouse: ClickHouse) -> None:
        servers = [exporting(clickhouse) for _ in range(3)]
        for second in range(1, tries(5, 100)):
            # Each export reaches all of them, as by a balancer that tries again too early.
            await asyncio.gather(
                *(
                    until_acknowledged(exports, cumulative(10.0 * second, second))
                    for _, exports in servers
                )
            )
            for store, _ in servers:
                assert (await store.sums(7, ALL)).totals.tolist() == [10.0 * second]

    on_clickhouse(race)


def test_a_repeat_under_an_idempotency_key_is_told_and_stores_nothing(
    on_clickhouse: Callable[[Asking], None],
) -> None:
    async def repeat(clickhouse: ClickHouse) -> None:
        store, exports = exporting(clickhouse)

        async def record(value: float) -> Any:
            return await exports.record_exported(
                7,
                cumulative(value, 1),
                key_id="vmk_1",
                notes={},
                idempotency=Idempotency(key="key_1", content_sha256=bytes([int(value)]) * 32),
                now_us=NOW_US,
            )

        assert not (await record(5.0)).is_repeat
        assert (await record(5.0)).is_repeat
        with pytest.raises(Conflict):
            await record(6.0)
        assert (await store.sums(7, ALL)).totals.tolist() == [5.0]

    on_clickhouse(repeat)


def test_requests_that_cannot_be_read_are_counted_and_mappings_kept(
    on_clickhouse: Callable[[Asking], None],
) -> None:
    async def count(clickhouse: ClickHouse) -> None:
        (_, exports), (_, others) = exporting(clickhouse), exporting(clickhouse)
        point = RejectedPoint(metric_name="", reason=Reason.MALFORMED, problem="is not protobuf")
        for _ in range(3):
            await exports.count_rejected(7, point, key_id="vmk_1", now_us=NOW_US)
        found = await others.rejections(7)
        assert [(each.what, each.key_id, each.points) for each in found.counts] == [
            ("malformed", "vmk_1", 3)
        ]
        assert [each.point for each in found.latest] == [point] * 3
        assert await others.mapping(7) == DEFAULT_MAPPING
        mapping = AttributeMapping(session=("my.session",))
        await exports.set_mapping(7, mapping)
        assert await others.read_mapping(7) == mapping
        await exports.set_mapping(7, None)
        assert await others.read_mapping(7) == DEFAULT_MAPPING

    on_clickhouse(count)
