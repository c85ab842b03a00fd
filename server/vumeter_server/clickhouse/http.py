"""The port over HTTP, to the nodes of a cluster: the first host that answers is asked."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from clickhouse_connect.driver.asyncclient import AsyncClient

from vumeter_server.clickhouse.blocks import decode_answer, encode_block
from vumeter_server.clickhouse.hosts import Host, HostFailed
from vumeter_server.clickhouse.layout import Layout
from vumeter_server.clickhouse.port import ClickHouse, Parameter, Setting
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.runtime.store_address import ClickHouseAddress

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

QUERY_SECONDS: Final = 10.0
INSERT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 600.0
_GRACE_SECONDS: Final = 1.0
"""How much later than ClickHouse itself this end gives up."""

# A hung shard is given up after a second, in place of half a minute; a shard that is down or hung
# is an error, never an answer without it.
_BETWEEN_NODES: Final[Mapping[str, Setting]] = {
    "handshake_timeout_ms": 1_000,
    "connect_timeout_with_failover_ms": 300,
    "connections_with_failover_max_tries": 1,
    "receive_timeout": 3,
    "send_timeout": 3,
    "skip_unavailable_shards": 0,
    "load_balancing": "in_order",
}
_OF_QUERIES: Final[Mapping[str, Setting]] = {
    **_BETWEEN_NODES,
    # With both, a query whose caller has gone stops on all nodes.
    "readonly": 2,
    "cancel_http_readonly_queries_on_client_close": 1,
    # An error in the middle of an answer is an error, not a shorter answer.
    "wait_end_of_query": 1,
    "optimize_skip_unused_shards": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
}
_OF_INSERTS: Final[Mapping[str, Setting]] = {
    **_BETWEEN_NODES,
    "async_insert": 0,
    "distributed_foreground_insert": 1,
}
# Whichever node is asked, of each shard the first replica that answers is read and written, and not
# the one on that node, which may be behind.
_OF_REPLICAS: Final[Mapping[str, Setting]] = {"prefer_localhost_replica": 0}
_OF_COMMANDS: Final[Mapping[str, Setting]] = {"mutations_sync": 2, "alter_sync": 2}

# It reports on every failure, also on those that the next host makes good.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


class HttpClickHouse:
    """Implements ClickHouse over HTTP; see `open_clickhouse`."""

    def __init__(
        self,
        layout: Layout,
        hosts: Sequence[Host],
        *,
        quorum: str = "",
        query_seconds: float = QUERY_SECONDS,
    ) -> None:
        """`quorum` is `insert_quorum`, "" where there are no replicas."""
        self.layout = layout
        self._hosts = hosts
        self._quorum = quorum
        self._query_seconds = query_seconds

    @classmethod
    def at(
        cls, address: ClickHouseAddress, password: str, query_seconds: float = QUERY_SECONDS
    ) -> HttpClickHouse:
        """Return a client of a store, which connects when it is asked first."""
        return cls(
            Layout.of(address),
            [Host(each, address, password) for each in address.hosts],
            quorum=address.quorum if address.engine == "ReplicatedMergeTree" else "",
            query_seconds=query_seconds,
        )

    @property
    def nodes(self) -> Sequence[ClickHouse]:
        """The same, bound to one node each."""
        return [self] if self.layout.on_cluster else self.hosts

    @property
    def hosts(self) -> Sequence[ClickHouse]:
        """The same, bound to one host each."""
        return [
            HttpClickHouse(
                self.layout, [host], quorum=self._quorum, query_seconds=self._query_seconds
            )
            for host in self._hosts
        ]

    def __str__(self) -> str:
        """Return the hosts."""
        return ", ".join(str(host) for host in self._hosts)

    async def query(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> pa.Table:
        """Return what a SELECT answers."""
        limit = min(self._query_seconds, seconds or self._query_seconds)
        all_settings = {**_OF_QUERIES, "max_execution_time": limit, **(settings or {})}
        if self.layout.is_replicated:
            all_settings |= _OF_REPLICAS

        async def ask(client: AsyncClient) -> bytes:
            return await client.raw_query(
                sql, parameters=dict(parameters or {}), settings=all_settings, fmt="ArrowStream"
            )

        try:
            async with asyncio.timeout(limit + _GRACE_SECONDS):
                return await decode_answer(await self._of_first_host(ask, is_repeatable=True))
        except TimeoutError:
            raise DeadlineExceeded from None

    async def insert(
        self, table: str, rows: pa.Table, *, token: str, seconds: float | None = None
    ) -> None:
        """Insert rows of one shard as one block."""
        data = encode_block(rows)
        settings = {**_OF_INSERTS, "insert_deduplication_token": token}
        if self.layout.is_replicated:
            settings |= _OF_REPLICAS
        if self._quorum:
            settings |= {"insert_quorum": self._quorum, "insert_quorum_parallel": 1}

        async def ask(client: AsyncClient) -> None:
            # Bytes would be sent again after a broken connection; a file that was read is not.
            await client.raw_insert(
                table,
                rows.column_names,
                insert_block=io.BytesIO(data),
                settings=settings,
                fmt="ArrowStream",
            )

        await self._within(seconds or INSERT_SECONDS, ask)

    async def command(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run DDL or a mutation on the node."""
        all_settings = {**_OF_COMMANDS, **(settings or {})}
        if self.layout.on_cluster:
            all_settings["distributed_ddl_task_timeout"] = int(seconds or COMMAND_SECONDS)

        async def ask(client: AsyncClient) -> None:
            await client.command(
                sql, parameters=dict(parameters or {}), settings=all_settings, use_database=False
            )

        await self._within(seconds or COMMAND_SECONDS, ask)

    async def close(self) -> None:
        """Close all connections."""
        for host in self._hosts:
            await host.close()

    async def _within(self, seconds: float, ask: Callable[[AsyncClient], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._of_first_host(ask, is_repeatable=False)
        except TimeoutError:
            raise Unavailable from None

    async def _of_first_host(
        self, ask: Callable[[AsyncClient], Awaitable[T]], *, is_repeatable: bool
    ) -> T:
        """Ask hosts until one answers; what may not be sent twice, until one has got it."""
        reason: HostFailed | None = None
        for host in sorted(self._hosts, key=lambda each: each.is_avoided):
            try:
                return await host.ask(ask)
            except HostFailed as failed:
                reason = failed
                if failed.was_sent and not is_repeatable:
                    break
        raise Unavailable from reason
