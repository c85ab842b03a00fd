"""Tables that are made ON CLUSTER: what each host has got is read and noted on that host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

import pyarrow as pa
import pytest
from tests.clickhouse.in_process import empty_database

from vumeter_server.clickhouse import ClickHouse, Layout, Parameter, migrate
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.clickhouse.migrations.history import TABLE, VERSIONS, applied_versions
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress, parse_store_address

EVERYWHERE: Final = " ON CLUSTER main"
LAYOUT: Final = Layout(database="base", cluster="main", on_cluster=True)


class HostOfCluster:
    """A host, with a database of its own of the engine in this process."""

    def __init__(self) -> None:
        self.layout = LAYOUT
        self.own = empty_database()
        self.is_down = False
        self.statements: list[str] = []

    def __str__(self) -> str:
        """Return how it would be named."""
        return self.own.layout.database

    async def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> pa.Table:
        """Answer from its database."""
        self._check()
        given = dict(parameters or {})
        if "database" in given:
            given["database"] = self.own.layout.database
        return await self.own.query(self._here(sql), given)

    async def command(self, sql: str) -> None:
        """Run a statement in its database."""
        self._check()
        self.statements.append(sql)
        # There is no cluster that a Distributed table could be of.
        if "ENGINE = Distributed" not in sql:
            await self.own.command(self._here(sql))

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable

    def _here(self, sql: str) -> str:
        name = self.own.layout.database
        return sql.replace("base.", f"{name}.").replace("EXISTS base", f"EXISTS {name}")


class Cluster:
    """Runs on all hosts what is ON CLUSTER, as Keeper lets nodes do."""

    layout = LAYOUT

    def __init__(self) -> None:
        self.hosts = [HostOfCluster() for _ in range(3)]
        self.passed_on = 0

    def __str__(self) -> str:
        """Return the hosts."""
        return ", ".join(map(str, self.hosts))

    async def command(self, sql: str) -> None:
        """Run a statement on all hosts."""
        assert sql.count(EVERYWHERE) == 1, sql
        self.passed_on += 1
        for host in self.hosts:
            await host.command(sql.replace(EVERYWHERE, ""))


async def start_on(cluster: Cluster) -> None:
    await migrate(cast(ClickHouse, cluster))


async def versions_of(host: HostOfCluster) -> set[int]:
    return await applied_versions(cast(ClickHouse, host))


async def test_each_host_says_which_versions_it_has_got() -> None:
    cluster = Cluster()
    await start_on(cluster)
    assert [await versions_of(host) for host in cluster.hosts] == [set(VERSIONS)] * 3
    made, cluster.passed_on = cluster.passed_on, 0
    assert made > len(VERSIONS)
    await start_on(cluster)
    assert cluster.passed_on == 0


async def test_a_host_without_tables_gets_them_and_says_so() -> None:
    cluster = Cluster()
    await start_on(cluster)
    cluster.hosts[2] = HostOfCluster()
    await start_on(cluster)
    assert await versions_of(cluster.hosts[2]) == set(VERSIONS)
    found = await cluster.hosts[2].own.query(
        f"SELECT count() AS rows FROM {cluster.hosts[2].own.layout.local(TABLE)}"
    )
    assert found.column("rows").to_pylist() == [len(VERSIONS)]


@pytest.mark.parametrize("later", range(3))
async def test_a_later_version_is_seen_on_whichever_host_it_is(later: int) -> None:
    cluster = Cluster()
    await start_on(cluster)
    host = cluster.hosts[later]
    await host.command(f"INSERT INTO {LAYOUT.local(TABLE)} VALUES (9999, 0)")
    with pytest.raises(StartError, match="of a later vumeter: version 9999"):
        await start_on(cluster)


async def test_a_host_that_is_down_keeps_a_server_from_starting_only_if_tables_are_missing() -> (
    None
):
    cluster = Cluster()
    cluster.hosts[1].is_down = True
    with pytest.raises(StartError, match=f"{cluster.hosts[1]} cannot be reached, and its tables"):
        await start_on(cluster)
    assert cluster.passed_on == 0
    cluster.hosts[1].is_down = False
    await start_on(cluster)
    made, cluster.hosts[1].is_down = cluster.passed_on, True
    await start_on(cluster)
    assert cluster.passed_on == made


async def test_what_a_node_has_got_is_not_passed_on_to_another_replica(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replicated = replace(LAYOUT, engine="ReplicatedMergeTree")
    monkeypatch.setattr(Cluster, "layout", replicated)
    cluster = Cluster()
    # The engine in this process has no Keeper: it is what is tried first that counts.
    with pytest.raises(StartError, match="No macro 'shard'"):
        await start_on(cluster)
    (versions,) = [each for each in cluster.hosts[0].statements if f".{TABLE}_local" in each]
    assert "ENGINE = MergeTree()" in versions


async def test_ddl_goes_through_one_host_and_notes_to_each() -> None:
    address = parse_store_address("clickhouse://a,b,c/base?cluster=main&on_cluster=true")
    assert isinstance(address, ClickHouseAddress)
    clickhouse = HttpClickHouse.at(address, "")
    assert [str(node) for node in clickhouse.nodes] == ["a:8123, b:8123, c:8123"]
    assert [str(host) for host in clickhouse.hosts] == ["a:8123", "b:8123", "c:8123"]
    alone = HttpClickHouse.at(replace(address, on_cluster=False), "")
    assert [str(node) for node in alone.nodes] == ["a:8123", "b:8123", "c:8123"]
