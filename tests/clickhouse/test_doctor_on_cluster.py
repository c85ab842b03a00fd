"""`vumeter doctor` on a cluster: what is wrong is named with its node, and nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from tests.clickhouse.cluster import (
    ClickHouseCluster,
    ClickHouseNode,
    hung,
    killed,
    new_database,
)
from tests.commands.cluster_findings import examined, wrong
from tests.commands.command import parsed, try_vumeter
from tests.stack import ADMIN_TOKEN
from tests.waiting import until

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.clock_record import ClickHouseClockRecordStore
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.clickhouse.migrations.history import VERSIONS
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.commands.diagnosis.finding import FindingStatus
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.clock_guard import ClockRecord
from vumeter_server.runtime.store_address import ClickHouseAddress
from vumeter_server.times.units import DAY_US, MINUTE_US

NEWEST = max(VERSIONS)
Failing: TypeAlias = Callable[[ClickHouseNode], AbstractContextManager[None]]

CHECKS = {
    *("packages", "nodes", "ClickHouse", "cluster", "between nodes", "database"),
    *("clocks of nodes", "clock", "disk room", "parts", "damaged parts", "mutations"),
}


@pytest.fixture
def unused(clickhouse_cluster: ClickHouseCluster) -> ClickHouseAddress:
    """The address of a database that there is not yet."""
    return clickhouse_cluster.address(new_database())


@pytest.fixture
def address(unused: ClickHouseAddress) -> Iterator[ClickHouseAddress]:
    """The address of a database with the tables of this version."""

    async def nothing(_clickhouse: ClickHouse) -> None:
        pass

    BlockingClickHouse(lambda: opened_clickhouse(unused, "")).run(nothing)
    yield unused
    for node in range(3):
        command(unused, node, f"DROP DATABASE IF EXISTS {unused.database}")


def command(address: ClickHouseAddress, node: int, sql: str, **settings: str | int) -> None:
    """Run a statement on one node."""

    async def run() -> None:
        clickhouse = HttpClickHouse.at(address, "")
        try:
            await clickhouse.nodes[node].command(sql, settings=settings)
        finally:
            await clickhouse.close()

    asyncio.run(run())


def rows(address: ClickHouseAddress, node: int, sql: str) -> list[dict[str, Any]]:
    """Return what one node answers."""

    async def ask() -> pa.Table:
        clickhouse = HttpClickHouse.at(address, "")
        try:
            return await clickhouse.nodes[node].query(sql)
        finally:
            await clickhouse.close()

    found: list[dict[str, Any]] = asyncio.run(ask()).to_pylist()
    return found


def databases(address: ClickHouseAddress) -> list[set[str]]:
    return [
        {row["name"] for row in rows(address, node, "SELECT name FROM system.databases")}
        for node in range(3)
    ]


def test_a_database_that_there_is_not_yet_is_not_made(
    clickhouse_cluster: ClickHouseCluster, unused: ClickHouseAddress
) -> None:
    before = databases(unused)
    done = try_vumeter(
        *("doctor", "--strict", "--format", "json"),
        VUMETER_STORE=clickhouse_cluster.store(unused.database),
        VUMETER_ADMIN_TOKEN=ADMIN_TOKEN,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = {row["check"]: row for row in parsed(done.stdout)}
    assert found.keys() > CHECKS | {"settings", "Envoy"}
    assert "SQLite" not in found
    assert "the first start makes it" in found["database"]["found"]
    assert databases(unused) == before


def test_nothing_is_wrong_with_the_tables_of_this_version(address: ClickHouseAddress) -> None:
    findings = examined(address)
    assert wrong(findings) == []
    assert {each.check for each in findings} == CHECKS
    of_nodes = {each.check: each.found for each in findings if ":8123" in each.found}
    assert of_nodes.keys() == CHECKS - {"packages", "ClickHouse", "clock"}
    for host in address.hosts:
        assert all(str(host) in found for found in of_nodes.values())
    # What is asked of replicas alone is a statement that ClickHouse takes.
    findings = examined(replace(address, engine="ReplicatedMergeTree"))
    assert wrong(findings) == []
    assert findings[-1].check == "replicas"


@pytest.mark.parametrize("failing", [killed, hung])
def test_a_node_that_is_gone_is_named_and_the_others_are_examined(
    clickhouse_cluster: ClickHouseCluster, address: ClickHouseAddress, failing: Failing
) -> None:
    command(address, 2, f"INSERT INTO {address.database}.schema_versions_local VALUES (99, 0)")
    with failing(clickhouse_cluster.nodes[1]):
        findings = examined(address)
    one, gone, other = (str(host) for host in address.hosts)
    (nodes, database) = wrong(findings)
    assert nodes[:2] == ("nodes", "problem")
    assert nodes[2].startswith(f"{gone}: no answer: ")
    assert database == (
        *("database", "problem"),
        f"{other}: tables of version 99, and this vumeter knows up to {NEWEST}",
    )
    found = [each.found for each in findings if each.status is FindingStatus.OK]
    assert f"{one}, {other}: answers" in found
    assert f"{one}, {other}: reaches 2 of 3 nodes" in found
    assert f"{one}, {other}: none fails" in found


def test_a_password_that_is_rejected_is_one_problem_that_does_not_show_it(
    clickhouse_cluster: ClickHouseCluster, unused: ClickHouseAddress
) -> None:
    done = try_vumeter(
        *("doctor", "--format", "json"),
        VUMETER_STORE=clickhouse_cluster.store(unused.database),
        VUMETER_STORE_PASSWORD="not-the-password",
        VUMETER_ADMIN_TOKEN=ADMIN_TOKEN,
    )
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    (row,) = [row for row in parsed(done.stdout) if row["status"] != "ok"]
    assert (row["check"], row["status"]) == ("sign in", "problem")
    assert all(str(host) in row["found"] for host in unused.hosts)
    assert "not-the-password" not in done.stdout


def test_a_cluster_that_is_not_as_it_is_described_is_a_problem(unused: ClickHouseAddress) -> None:
    ((check, status, found),) = wrong(examined(replace(unused, cluster="other")))
    assert (check, status) == ("cluster", "problem")
    assert "the nodes know no cluster other" in found
    ((check, status, found),) = wrong(examined(replace(unused, hosts=unused.hosts[:1])))
    assert (check, status) == ("cluster", "problem")
    assert "names 1 of the 3 nodes" in found


def test_a_node_with_other_tables_than_this_version_is_named(address: ClickHouseAddress) -> None:
    versions = f"{address.database}.schema_versions_local"
    command(address, 0, f"ALTER TABLE {versions} DELETE WHERE version = {NEWEST}")
    command(address, 1, f"DROP DATABASE {address.database}")
    before, lost, _ = (str(host) for host in address.hosts)
    assert wrong(examined(address)) == [
        (
            *("database", "warning"),
            f"{before}: tables of version {NEWEST - 1}, and this vumeter has {NEWEST}",
        ),
        (
            *("database", "problem"),
            f"{lost}: no tables of vumeter in {address.database}, and other nodes have them",
        ),
    ]


def test_a_database_of_another_program_is_a_warning(unused: ClickHouseAddress) -> None:
    command(unused, 0, f"CREATE DATABASE {unused.database}")
    command(unused, 0, f"CREATE TABLE {unused.database}.theirs (n Int64) ENGINE = Memory")
    ((check, status, found),) = wrong(examined(unused))
    assert (check, status) == ("database", "warning")
    assert found.endswith("holds 1 tables, none of them vumeter's")
    command(unused, 0, f"DROP DATABASE {unused.database}")


def test_a_clock_that_is_wrong_is_named(address: ClickHouseAddress) -> None:
    saved = BlockingClickHouse(lambda: opened_clickhouse(address, ""))

    def save(record: ClockRecord) -> None:
        saved.run(lambda clickhouse: ClickHouseClockRecordStore(clickhouse).save(record))

    save(ClockRecord(seen_us=system_clock() - 3 * DAY_US))
    assert [each[:2] for each in wrong(examined(address))] == [("clock", "warning")]
    save(ClockRecord(seen_us=system_clock(), untrusted_for_us=1))
    assert [each[:2] for each in wrong(examined(address))] == [("clock", "problem")]
    save(ClockRecord(seen_us=system_clock()))
    (clocks,) = wrong(examined(address, lambda: system_clock() + MINUTE_US))
    assert clocks[:2] == ("clocks of nodes", "warning")
    assert all(str(host) in clocks[2] for host in address.hosts)
    assert clocks[2].endswith(" s behind this machine's")


def test_a_mutation_that_fails_is_a_problem(address: ClickHouseAddress) -> None:
    table = f"{address.database}.clock_records_local"
    command(address, 2, f"INSERT INTO {table} (log, seen_us) VALUES (9, 1)")
    failing = f"ALTER TABLE {table} UPDATE untrusted_for_us = throwIf(1) WHERE log = 9"
    command(address, 2, failing, mutations_sync=0)
    until(
        lambda: bool(
            rows(
                address,
                2,
                "SELECT 1 AS one FROM system.mutations WHERE latest_fail_reason != ''"
                f" AND database = '{address.database}'",
            )
        )
    )
    ((check, status, found),) = wrong(examined(address))
    assert (check, status) == ("mutations", "problem")
    assert found.startswith(f"{address.hosts[2]}: ")
    assert "clock_records_local fails: " in found


def test_a_part_that_was_set_aside_is_a_problem(address: ClickHouseAddress) -> None:
    (table,) = rows(
        address,
        1,
        "SELECT data_paths FROM system.tables WHERE name = 'simulation_local'"
        f" AND database = '{address.database}'",
    )
    # As ClickHouse calls what it cannot read when it starts.
    Path(table["data_paths"][0], "detached", "broken-on-start_all_1_1_0").mkdir()
    assert wrong(examined(address)) == [
        (
            *("damaged parts", "problem"),
            f"{address.hosts[1]}: 1 of simulation_local set aside: what they hold is missing in"
            " answers",
        )
    ]
