"""One node as a client sees it: its connections, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import aiohttp
import structlog
from clickhouse_connect import get_async_client
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import Error

from vumeter_server.clickhouse.failures import public_error
from vumeter_server.runtime.store_address import ClickHouseAddress, ClickHouseHost

T = TypeVar("T")

CONNECTIONS: Final = 64
_CONNECT_SECONDS: Final = 2.0
# Less than a node keeps an idle connection: what is sent while it closes one would be lost.
_KEPT_SECONDS: Final = 5.0
_PINGED_AFTER_SECONDS: Final = 1.0
_PING_SECONDS: Final = 2.0
_AVOIDED_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


class HostFailed(Exception):
    """A host did not answer; `was_sent` says whether it may have got what it was asked."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


class Host:
    """One node, asked over a pool of connections.

    A host that keeps a call waiting is pinged: a slow one answers that, a hung one does not.
    """

    def __init__(self, host: ClickHouseHost, address: ClickHouseAddress, password: str) -> None:
        self._host = host
        self._address = address
        self._password = password
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()
        self._pings: aiohttp.ClientSession | None = None
        self._avoided_until = 0.0

    def __str__(self) -> str:
        """Return it as it was named."""
        return str(self._host)

    @property
    def is_avoided(self) -> bool:
        """Whether it failed a moment ago, so that others are asked before it."""
        return asyncio.get_running_loop().time() < self._avoided_until

    async def ask(self, ask: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """Return what the host answers.

        Raises HostFailed if it does not, and what `public_error` says if its answer is an error.
        """
        asked = asyncio.ensure_future(self._ask(ask))
        try:
            while not (await asyncio.wait({asked}, timeout=_PINGED_AFTER_SECONDS))[0]:
                if not await self._answers_ping() and not asked.done():
                    raise self._failed("it hangs", was_sent=True)
            return asked.result()
        finally:
            if not asked.done():
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
        if self._pings is not None:
            await self._pings.close()

    async def _ask(self, ask: Callable[[AsyncClient], Awaitable[T]]) -> T:
        try:
            return await ask(await self._connected())
        except Error as error:
            if error.code is not None:
                raise public_error(error.code, str(error)) from error
            is_refused = isinstance(error.__cause__, aiohttp.ClientConnectorError)
            raise self._failed(str(error), was_sent=not is_refused) from None

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> AsyncClient:
        try:
            return await get_async_client(
                host=self._host.host,
                port=self._host.port,
                username=self._address.user,
                password=self._password,
                interface="https" if self._address.secure else "http",
                ca_cert=str(self._address.ca_file) if self._address.ca_file else None,
                connect_timeout=_CONNECT_SECONDS,
                connector_limit=CONNECTIONS,
                connector_limit_per_host=CONNECTIONS,
                keepalive_timeout=_KEPT_SECONDS,
                query_retries=0,
                autogenerate_session_id=False,
                # Arrow compresses by itself.
                compress=False,
            )
        except Error as error:
            if error.code is not None:
                raise public_error(error.code, str(error)) from error
            raise self._failed(str(error), was_sent=False) from None

    def _failed(self, reason: str, *, was_sent: bool) -> HostFailed:
        if not self.is_avoided:
            _log.warning("storage_host_failed", host=str(self), problem=reason)
        self._avoided_until = asyncio.get_running_loop().time() + _AVOIDED_SECONDS
        return HostFailed(reason, was_sent=was_sent)

    async def _answers_ping(self) -> bool:
        if self._pings is None:
            # Not over the connections of calls, which may all be taken.
            self._pings = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_PING_SECONDS),
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
            )
        scheme = "https" if self._address.secure else "http"
        # Anything that is said is an answer, also by a certificate that is not trusted here.
        tls: dict[str, Any] = {"ssl": False} if self._address.secure else {}
        try:
            async with self._pings.get(f"{scheme}://{self._host}/ping", **tls) as answer:
                return answer.status < 600
        except (aiohttp.ClientError, TimeoutError):
            return False
