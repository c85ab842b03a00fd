"""How tables are made on a node, on a cluster and with replicas, which no test has: their text."""

from __future__ import annotations

import re

import pytest
from tests.clickhouse.in_process import empty_database

from vumeter_server.clickhouse.failures import ClickHouseError
from vumeter_server.clickhouse.layout import Column, Layout
from vumeter_server.clickhouse.migrations.history import MIGRATIONS
from vumeter_server.clickhouse.port import Parameter

COLUMNS = [Column(name="shard", type="Int64"), Column(name="at", type="Int64 DEFAULT now()")]
ALONE = Layout(database="base")
SHARDS = Layout(database="base", cluster="main")
REPLICAS = Layout(database="base", cluster="main", engine="ReplicatedMergeTree")
BY_KEEPER = Layout(database="base", cluster="main", engine="ReplicatedMergeTree", on_cluster=True)
DURABLE = (
    "fsync_after_insert = 1, fsync_part_directory = 1,"
    " min_free_disk_bytes_to_perform_insert = 1073741824"
)
DISTRIBUTED = "Distributed('main', 'base', 'rows_local', cityHash64(shard))"


def made(layout: Layout, merging: str = "") -> list[str]:
    return layout.create_table(
        "rows", COLUMNS, order_by="at", shard_by="shard", merging=merging, is_recorded=False
    )


def test_a_node_has_one_table_and_shards_have_two_more() -> None:
    of_node = (
        "CREATE TABLE IF NOT EXISTS base.rows_local (shard Int64, at Int64 DEFAULT now())"
        " ENGINE = MergeTree() ORDER BY at"
        f" SETTINGS non_replicated_deduplication_window = 10000, {DURABLE}"
    )
    assert made(ALONE) == [of_node]
    assert made(SHARDS) == [
        of_node,
        "CREATE TABLE IF NOT EXISTS base.rows (shard Int64, at Int64 DEFAULT now())"
        f" ENGINE = {DISTRIBUTED}",
        f"CREATE TABLE IF NOT EXISTS base.rows_in (shard Int64, at Int64) ENGINE = {DISTRIBUTED}",
    ]
    assert "ENGINE = ReplacingMergeTree(at) ORDER" in made(ALONE, "Replacing(at)")[0]
    assert "ENGINE = AggregatingMergeTree() ORDER" in made(ALONE, "Aggregating")[0]


@pytest.mark.parametrize(
    ("layout", "everywhere"), [(REPLICAS, ""), (BY_KEEPER, " ON CLUSTER main")]
)
def test_replicas_of_a_shard_have_one_path_whoever_makes_them(
    layout: Layout, everywhere: str
) -> None:
    path = "'/clickhouse/tables/{shard}/base/rows_local', '{replica}'"
    local, reads, writes = made(layout)
    assert local == (
        f"CREATE TABLE IF NOT EXISTS base.rows_local{everywhere}"
        " (shard Int64, at Int64 DEFAULT now())"
        f" ENGINE = ReplicatedMergeTree({path}) ORDER BY at"
        " SETTINGS replicated_deduplication_window = 10000,"
        f" replicated_deduplication_window_seconds = 604800, {DURABLE}"
    )
    assert reads.startswith(f"CREATE TABLE IF NOT EXISTS base.rows{everywhere} (")
    assert writes.startswith(f"CREATE TABLE IF NOT EXISTS base.rows_in{everywhere} (")
    assert layout.create_database() == f"CREATE DATABASE IF NOT EXISTS base{everywhere}"
    replacing = f"ENGINE = ReplicatedReplacingMergeTree({path}, at) ORDER"
    assert replacing in made(layout, "Replacing(at)")[0]
    assert f"ENGINE = ReplicatedAggregatingMergeTree({path})" in made(layout, "Aggregating")[0]


@pytest.mark.parametrize("layout", [ALONE, SHARDS, REPLICAS, BY_KEEPER])
async def test_each_statement_of_each_version_is_one_that_clickhouse_reads(layout: Layout) -> None:
    statements = [each for module in MIGRATIONS for each in module.statements(layout)]
    clickhouse = empty_database()
    for each in statements:
        parameters: dict[str, Parameter] = {"statement": each}
        await clickhouse.query("SELECT formatQuery({statement:String}) AS text", parameters)
    paths = re.findall(r"'/clickhouse/tables/\{shard\}/base/(\w+)', '\{replica\}'", str(statements))
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS base\.(\w+_local)", str(statements))
    assert len(tables) > 10
    assert paths == (tables if layout.is_replicated else [])


async def test_a_node_of_a_shard_with_replicas_needs_macros_and_no_cluster() -> None:
    clickhouse = empty_database()
    await clickhouse.command(clickhouse.layout.create_database())
    layout = Layout(database=clickhouse.layout.database, engine="ReplicatedMergeTree")
    with pytest.raises(ClickHouseError, match="No macro 'shard'"):
        await clickhouse.command(made(layout)[0])
