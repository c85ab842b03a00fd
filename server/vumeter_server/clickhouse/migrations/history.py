"""The schema's history: each migration runs once on each node, in order.

A module has `statements(layout)`: those of one version, which may be run again where a start was
cut short. A node without a row for a version in `schema_versions_local` has not got it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Final

import structlog

from vumeter_server.clickhouse.failures import ClickHouseError
from vumeter_server.clickhouse.layout import Column, Layout
from vumeter_server.clickhouse.migrations import (
    m0001_access,
    m0002_custom_metrics,
    m0003_simulation,
    m0004_live_metrics,
    m0005_demo,
)
from vumeter_server.clickhouse.port import ClickHouse
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.start_error import StartError

MIGRATIONS: Final[tuple[ModuleType, ...]] = (
    m0001_access,
    m0002_custom_metrics,
    m0003_simulation,
    m0004_live_metrics,
    m0005_demo,
)

VERSIONS: Final = {int(module.__name__.rpartition(".m")[2][:4]): module for module in MIGRATIONS}

TABLE: Final = "schema_versions"

_log = structlog.get_logger(__name__)


async def migrate(clickhouse: ClickHouse) -> None:
    """Bring every node to this version's schema; a database that there is not is made.

    Which versions there are is read and noted on each host, also where DDL goes through one of
    them. A host that does not answer is passed over if the others have the schema already.

    Raises StartError if the schema is of a later version, or has to be changed while a host does
    not answer, or cannot be changed.
    """
    hosts = clickhouse.hosts
    outcomes = await asyncio.gather(*map(_missing_versions, hosts), return_exceptions=True)
    unreachable = []
    behind: dict[ClickHouse, set[int]] = {}
    for host, outcome in zip(hosts, outcomes, strict=True):
        if isinstance(outcome, Unavailable):
            unreachable.append(str(host))
        elif isinstance(outcome, BaseException):
            raise outcome
        elif outcome:
            behind[host] = outcome
    if unreachable and (behind or len(unreachable) == len(hosts)):
        raise _not_reached(", ".join(unreachable))
    for each in unreachable:
        _log.warning("storage_host_not_migrated", host=each)
    if clickhouse.layout.on_cluster:
        await _change(clickhouse, behind)
    else:
        await asyncio.gather(*(_change(host, {host: behind[host]}) for host in behind))


async def applied_versions(node: ClickHouse) -> set[int]:
    """Return the versions that a node has got, whose TABLE exists."""
    rows = await node.query(f"SELECT DISTINCT version FROM {node.layout.local(TABLE)}")
    return set(rows.column("version").to_pylist())


async def _missing_versions(host: ClickHouse) -> set[int]:
    """Return the versions that a host has not got."""
    table = host.layout.local(TABLE).partition(".")[2]
    found = await host.query(
        "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {table:String}",
        {"database": host.layout.database, "table": table},
    )
    applied = await applied_versions(host) if found.num_rows else set()
    if later := applied - set(VERSIONS):
        raise StartError(
            f"VUMETER_STORE: its tables are of a later vumeter: version {max(later)}, and this one"
            f" knows up to {max(VERSIONS)}"
        )
    return set(VERSIONS) - applied


async def _change(through: ClickHouse, behind: Mapping[ClickHouse, set[int]]) -> None:
    """Run on a node, or through it on all, the versions that hosts have not got; note them there.

    Raises StartError if that cannot be done.
    """
    if not behind:
        return
    layout = through.layout
    # What one node has got, which another replica of its shard may not have.
    of_node = replace(layout, engine="MergeTree")
    versions = of_node.create_table(
        TABLE,
        [Column(name="version", type="UInt32"), Column(name="applied_us", type="Int64")],
        order_by="version",
        shard_by="version",
        is_recorded=False,
    )
    try:
        await through.command(layout.create_database())
        await through.command(versions[0])
        for version in sorted(set().union(*behind.values())):
            for statement in VERSIONS[version].statements(layout):
                await through.command(statement)
            for host, missing in behind.items():
                if version in missing:
                    await host.command(_noted(layout, version))
    except ClickHouseError as error:
        raise StartError(
            f"VUMETER_STORE: {through}: its tables cannot be made or changed: {error}"
        ) from error
    except Unavailable as error:
        raise _not_reached(str(through)) from error


def _noted(layout: Layout, version: int) -> str:
    return (
        f"INSERT INTO {layout.local(TABLE)} SETTINGS async_insert = 0,"
        f" insert_deduplication_token = 'version/{version}'"
        f" SELECT {version}, {time.time_ns() // 1000}"
    )


def _not_reached(hosts: str) -> StartError:
    return StartError(
        f"VUMETER_STORE: {hosts} cannot be reached, and its tables have to be made or changed"
        " before anything starts"
    )
