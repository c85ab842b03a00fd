"""When a server starts on a cluster, and what it says where it cannot."""

from __future__ import annotations

import pytest
from tests.clickhouse.cluster import ClickHouseCluster, killed, new_database
from tests.clickhouse.entries import append, shards

from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress, ClickHouseHost


async def test_a_server_starts_while_a_node_is_down_if_the_tables_are_there(
    clickhouse_cluster: ClickHouseCluster,
) -> None:
    cluster = clickhouse_cluster
    async with cluster.clickhouse() as clickhouse:
        organizations = await shards(clickhouse)
        address = cluster.address(clickhouse.layout.database)
        with killed(cluster.nodes[2]):
            async with opened_clickhouse(address, "") as another:
                assert await append(another, organizations[0], 1)
            no_tables = "cannot be reached, and its tables have to be made"
            with pytest.raises(StartError, match=no_tables):
                async with opened_clickhouse(cluster.address(new_database()), ""):
                    pass


async def test_what_keeps_a_server_from_starting_is_told_in_one_line(
    clickhouse_cluster: ClickHouseCluster,
) -> None:
    address = clickhouse_cluster.address(new_database())
    cases = [
        (address, "wrong", "refuses user default or the password"),
        (with_(address, hosts=address.hosts[:2]), "", "names 2 of the 3 nodes"),
        (with_(address, cluster="nowhere"), "", "the nodes know no cluster nowhere"),
    ]
    for described, password, problem in cases:
        with pytest.raises(StartError, match=problem) as caught:
            async with opened_clickhouse(described, password):
                pass
        assert "\n" not in str(caught.value)
        assert "wrong" not in str(caught.value)


async def test_nodes_that_do_not_answer_in_time_are_told_in_one_line(
    clickhouse_cluster: ClickHouseCluster,
) -> None:
    address = clickhouse_cluster.address(new_database())
    with pytest.raises(StartError, match="does not answer in time") as caught:
        async with opened_clickhouse(address, "", query_seconds=0.000001):
            pass
    assert "\n" not in str(caught.value)


async def test_tables_of_a_later_version_are_left_alone(
    clickhouse_cluster: ClickHouseCluster,
) -> None:
    async with clickhouse_cluster.clickhouse() as clickhouse:
        address = clickhouse_cluster.address(clickhouse.layout.database)
        for node in clickhouse.nodes:
            local = clickhouse.layout.local("schema_versions")
            await node.command(f"INSERT INTO {local} SETTINGS async_insert = 0 VALUES (9999, 0)")
        with pytest.raises(StartError, match="of a later vumeter: version 9999"):
            async with opened_clickhouse(address, ""):
                pass


def with_(
    address: ClickHouseAddress,
    *,
    hosts: tuple[ClickHouseHost, ...] | None = None,
    cluster: str | None = None,
) -> ClickHouseAddress:
    """Return the address with something else in it."""
    return ClickHouseAddress(
        user=address.user,
        hosts=hosts or address.hosts,
        database=address.database,
        cluster=cluster or address.cluster,
    )
