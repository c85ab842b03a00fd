"""Servers of two versions on one cluster: the later one adds, the older one goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Final

import pytest
from tests.clickhouse.entries import append, kinds
from tests.conformance.custom_metrics.asking import at, batch_of, plain
from tests.conformance.custom_metrics.subjects import NOON_US, SteppedClock

from vumeter_server.clickhouse import ClickHouse, Layout, migrate
from vumeter_server.clickhouse.layout import Column
from vumeter_server.clickhouse.migrations import history
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.questions import ExportQuery
from vumeter_server.runtime.start_error import StartError

LATER: Final = max(history.VERSIONS) + 1
CHANGED: Final = ("metric_points", "organization_entries")
ORGANIZATION: Final = 3


def adding(layout: Layout) -> list[str]:
    """Return what a later version may do: tables and columns, behind those that there are."""
    added = [
        f"ALTER TABLE {table}{layout.everywhere} ADD COLUMN IF NOT EXISTS later Int64 DEFAULT 7"
        for name in CHANGED
        for table in dict.fromkeys((layout.local(name), layout.reads(name), layout.writes(name)))
    ]
    columns = [Column(name="shard", type="Int64")]
    return [*added, *layout.create_table("later", columns, order_by="shard", shard_by="shard")]


async def record(store: ClickHouseMetricStore, number: int) -> None:
    batch = batch_of(at(number), now_us=NOON_US)
    await store.record(ORGANIZATION, batch, idempotency=None, now_us=NOON_US)


async def recorded(store: ClickHouseMetricStore) -> int:
    export = store.export_points(ORGANIZATION, ExportQuery())
    return sum([len(list(plain(piece.batch))) async for piece in export])


async def test_an_older_server_that_runs_goes_on_and_does_not_start_again(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = ClickHouseMetricStore(clickhouse, SteppedClock())
    await record(older, 1)
    await append(clickhouse, 1, 1, "before")
    with monkeypatch.context() as later:
        with_later = {**history.VERSIONS, LATER: SimpleNamespace(statements=adding)}
        later.setattr(history, "VERSIONS", with_later)
        await migrate(clickhouse)
    newer = ClickHouseMetricStore(clickhouse, SteppedClock())
    for number, store in enumerate((older, newer, older, newer), 2):
        await record(store, number)
        assert await recorded(older) == await recorded(newer) == number
    assert await append(clickhouse, 1, 2, "after")
    assert await kinds(clickhouse, 1) == ["before", "after"]
    for name in CHANGED:
        found = await clickhouse.query(
            f"SELECT DISTINCT later FROM {clickhouse.layout.reads(name)}"
        )
        assert found.column("later").to_pylist() == [7]
    with pytest.raises(StartError, match=f"of a later vumeter: version {LATER}, and this one"):
        await migrate(clickhouse)
