"""The schema's history: each migration runs once on each node, in order.

A module has `statements(layout)`: those of one version, which may be run again where a start was
cut short. A node without a row for a version in `schema_versions_local` has not got it.
"""

from __future__ import annotations

import asyncio
import time
from types import ModuleType
from typing import Final

import structlog

from vumeter_server.clickhouse.failures import ClickHouseError
from vumeter_server.clickhouse.layout import Column
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

    A node that does not answer is passed over if the others have the schema already.

    Raises StartError if the schema is of a later version, or has to be changed on a node that does
    not answer.
    """
    nodes = clickhouse.nodes
    outcomes = await asyncio.gather(*map(_migrate_node, nodes), return_exceptions=True)
    unreachable = []
    changed: set[int] = set()
    for node, outcome in zip(nodes, outcomes, strict=True):
        if isinstance(outcome, Unavailable):
            unreachable.append(str(node))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            changed |= outcome
    if unreachable and (changed or len(unreachable) == len(nodes)):
        raise StartError(
            f"VUMETER_STORE: {', '.join(unreachable)} cannot be reached, and its tables have to be"
            " made or changed before anything starts"
        )
    for host in unreachable:
        _log.warning("storage_host_not_migrated", host=host)


async def applied_versions(node: ClickHouse) -> set[int]:
    """Return the versions that a node has got, whose TABLE exists."""
    rows = await node.query(f"SELECT DISTINCT version FROM {node.layout.local(TABLE)}")
    return set(rows.column("version").to_pylist())


async def _migrate_node(node: ClickHouse) -> set[int]:
    """Run what a node has not got; return the versions."""
    layout = node.layout
    await node.command(layout.create_database())
    versions = layout.create_table(
        TABLE,
        [Column(name="version", type="UInt32"), Column(name="applied_us", type="Int64")],
        order_by="version",
        shard_by="version",
        is_recorded=False,
    )
    await node.command(versions[0])
    applied = await applied_versions(node)
    if later := applied - set(VERSIONS):
        raise StartError(
            f"VUMETER_STORE: its tables are of a later vumeter: version {max(later)}, and this one"
            f" knows up to {max(VERSIONS)}"
        )
    missing = [version for version in sorted(VERSIONS) if version not in applied]
    for version in missing:
        for statement in VERSIONS[version].statements(layout):
            try:
                await node.command(statement)
            except ClickHouseError as error:
                raise StartError(
                    f"VUMETER_STORE: version {version} of the tables cannot be made: {error}"
                ) from error
        await node.command(
            f"INSERT INTO {layout.local(TABLE)} SETTINGS async_insert = 0,"
            f" insert_deduplication_token = 'version/{version}'"
            f" SELECT {version}, {time.time_ns() // 1000}"
        )
    return set(missing)
