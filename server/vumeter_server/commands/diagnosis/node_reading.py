"""Asking each node of a cluster, all at once, for what the doctor judges. Only SELECT is sent.

This loads the packages of ClickHouse.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from vumeter_server.clickhouse.clock_record import ClickHouseClockRecordStore
from vumeter_server.clickhouse.failures import SignInRefused
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.clickhouse.migrations.history import TABLE, applied_versions
from vumeter_server.clickhouse.opening import CLUSTER_NODES
from vumeter_server.commands.diagnosis.node_reports import (
    ClockReading,
    NodeQuery,
    NodeReport,
    Rows,
    Schema,
    Unread,
)
from vumeter_server.errors import DeadlineExceeded, StorageDamaged
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.store_address import ClickHouseAddress, ClickHouseHost

T = TypeVar("T")

STATEMENT_SECONDS: Final = 4.0
MAX_REASON: Final = 200

# What the driver and ClickHouse say around the reason; `ssl:default` also stands for no TLS.
_AROUND = re.compile(
    r"^.*DB::Exception: |^Network Error: | ssl:default|\s*\(version .*$", re.DOTALL
)


def read_nodes(
    address: ClickHouseAddress, password: str, statements: Sequence[NodeQuery], clock: Clock
) -> list[NodeReport]:
    """Return what each host of `address` answers, in their order."""

    async def read() -> list[NodeReport]:
        return await asyncio.gather(
            *(_read_node(host, address, password, statements, clock) for host in address.hosts)
        )

    return asyncio.run(read())


async def _read_node(
    host: ClickHouseHost,
    address: ClickHouseAddress,
    password: str,
    statements: Sequence[NodeQuery],
    clock: Clock,
) -> NodeReport:
    # For a store without a cluster, what is read of a table is what the node has of it.
    alone = replace(address, hosts=(host,), cluster="", on_cluster=False)
    clickhouse = HttpClickHouse.at(alone, password, STATEMENT_SECONDS)
    try:
        return await _report(clickhouse, address, statements, clock)
    except SignInRefused:
        return NodeReport(node=str(host), failure="the user is not let in", is_rejected=True)
    except Exception as error:
        # Whatever listens there: the others are examined.
        return NodeReport(node=str(host), failure=reason_of(error))
    finally:
        await clickhouse.close()


async def _report(
    clickhouse: HttpClickHouse,
    address: ClickHouseAddress,
    statements: Sequence[NodeQuery],
    clock: Clock,
) -> NodeReport:
    # It waits for the connection, too: a node that does not answer this is asked no more.
    found = await clickhouse.query(
        f"SELECT version() AS version, ({CLUSTER_NODES}) AS nodes", {"cluster": address.cluster}
    )
    (first,) = found.to_pylist()
    clock_reading, schema, rows = await asyncio.gather(
        _unless_unread(partial(_clock, clickhouse, clock)),
        _unless_unread(partial(_schema, clickhouse)),
        asyncio.gather(*(_unless_unread(partial(_rows, clickhouse, each)) for each in statements)),
    )
    return NodeReport(
        node=str(clickhouse),
        version=first["version"],
        cluster_nodes=first["nodes"],
        clock=clock_reading,
        schema=schema,
        rows={of.name: each for of, each in zip(statements, rows, strict=True)},
    )


async def _unless_unread(read: Callable[[], Awaitable[T]]) -> T | Unread:
    try:
        async with asyncio.timeout(STATEMENT_SECONDS):
            return await read()
    except StorageDamaged as error:
        return Unread(reason=reason_of(error), is_damage=True)
    except Exception as error:
        # The other statements are still read.
        return Unread(reason=reason_of(error))


async def _clock(clickhouse: HttpClickHouse, clock: Clock) -> ClockReading:
    before_us = clock()
    found = await clickhouse.query("SELECT toUnixTimestamp64Micro(now64(6)) AS now_us")
    return ClockReading(
        before_us=before_us, node_us=found.column("now_us")[0].as_py(), after_us=clock()
    )


async def _schema(clickhouse: HttpClickHouse) -> Schema:
    found = await clickhouse.query(
        "SELECT name FROM system.tables WHERE database = {database:String}",
        {"database": clickhouse.layout.database},
    )
    tables = set(found.column("name").to_pylist())

    def has(table: str) -> bool:
        return clickhouse.layout.local(table).partition(".")[2] in tables

    if not has(TABLE):
        return Schema(tables=len(tables))
    return Schema(
        tables=len(tables),
        versions=frozenset(await applied_versions(clickhouse)),
        clock=await ClickHouseClockRecordStore(clickhouse).read() if has("clock_records") else None,
    )


async def _rows(clickhouse: HttpClickHouse, statement: NodeQuery) -> Rows:
    found = await clickhouse.query(
        statement.sql, {"database": clickhouse.layout.database}, settings=statement.settings
    )
    rows: Rows = found.to_pylist()
    return rows


def reason_of(error: BaseException) -> str:
    """Return why a node did not answer, as one line."""
    if isinstance(error, DeadlineExceeded | TimeoutError):
        return f"no answer within {STATEMENT_SECONDS:.0f} s"
    text = str(error.__cause__ or error) or type(error).__name__
    line = " ".join(_AROUND.sub("", text).split())
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"
