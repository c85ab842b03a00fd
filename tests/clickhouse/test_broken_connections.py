"""What is asked over a connection that breaks: a query again, an insert never."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest
from tests.clickhouse.cluster import HTTP_PORT, ClickHouseCluster
from tests.clickhouse.entries import append, kinds, shards

from vumeter_server.clickhouse.hosts import HostFailed
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.store_address import ClickHouseHost

INSERT: Final = b"INSERT"
SELECT: Final = b"SELECT"


class BreakingProxy:
    """Passes requests on to a node; the first one with a word in it, it takes and does not answer.

    Attributes:
        word: the word, b"" for none.
        taken: how many requests had that word.
    """

    def __init__(self, node: str) -> None:
        self.word = b""
        self.taken = 0
        self._node = node

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[ClickHouseHost]:
        """Serve; gives where."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield ClickHouseHost(host="127.0.0.1", port=server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            request = await _read_request(reader)
            if self.word and self.word in request:
                self.taken += 1
                if self.taken == 1:
                    return
            node_reader, node_writer = await asyncio.open_connection(self._node, HTTP_PORT)
            with contextlib.closing(node_writer):
                node_writer.write(request)
                writer.write(await node_reader.read())
                await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    """Read a request with its body, and let its answer end with the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
    body = await reader.readexactly(int(length[1])) if length else await _read_chunks(reader, head)
    kept = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head.removesuffix(b"\r\n\r\n"))
    return kept + b"\r\nConnection: close\r\n\r\n" + body


async def _read_chunks(reader: asyncio.StreamReader, head: bytes) -> bytes:
    return await reader.readuntil(b"\r\n0\r\n\r\n") if b"chunked" in head.lower() else b""


@pytest.fixture
async def clickhouse(clickhouse_cluster: ClickHouseCluster) -> AsyncIterator[HttpClickHouse]:
    """An empty database."""
    async with clickhouse_cluster.clickhouse() as opened:
        yield opened


@pytest.fixture
def proxy(clickhouse_cluster: ClickHouseCluster) -> BreakingProxy:
    """A proxy before the first node."""
    return BreakingProxy(clickhouse_cluster.nodes[0].host)


@pytest.fixture
async def asking(
    clickhouse_cluster: ClickHouseCluster, clickhouse: HttpClickHouse, proxy: BreakingProxy
) -> AsyncIterator[HttpClickHouse]:
    """That database, asked through the proxy first, and then at the other nodes."""
    address = clickhouse_cluster.address(clickhouse.layout.database)
    async with proxy.listening() as host:
        opened = HttpClickHouse.at(replace(address, hosts=(host, *address.hosts[1:])), "")
        yield opened
        await opened.close()


async def test_an_insert_is_not_sent_again(
    clickhouse: HttpClickHouse, asking: HttpClickHouse, proxy: BreakingProxy
) -> None:
    organization = (await shards(asking))[1]
    proxy.word = INSERT
    with pytest.raises(Unavailable) as caught:
        await append(asking, organization, 1)
    assert isinstance(caught.value.__cause__, HostFailed)
    assert caught.value.__cause__.was_sent
    # Neither there, nor to another host.
    assert proxy.taken == 1
    assert await kinds(clickhouse, organization) == []
    # Whoever tries again is served by another one, for a while.
    assert await append(asking, organization, 1, "b")
    assert proxy.taken == 1
    assert await kinds(clickhouse, organization) == ["b"]


async def test_a_query_is_sent_again(
    clickhouse: HttpClickHouse, asking: HttpClickHouse, proxy: BreakingProxy
) -> None:
    organization = (await shards(asking))[1]
    assert await append(clickhouse, organization, 1)
    proxy.word = SELECT
    assert await kinds(asking, organization) == ["a"]
    assert proxy.taken >= 1
