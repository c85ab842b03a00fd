"""The port as a server has it: spans of what is asked, and a note of damage that is met."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from vumeter_server.clickhouse.layout import Layout
from vumeter_server.clickhouse.port import ClickHouse, Parameter, Setting
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.damage import Damage, tables_of
from vumeter_server.telemetry.spans import span

if TYPE_CHECKING:
    import pyarrow as pa

_DATABASE: Final = {"db.system.name": "clickhouse"}


class ObservedClickHouse:
    """Implements ClickHouse by another, and raises what that raises."""

    def __init__(self, clickhouse: ClickHouse, damage: Damage) -> None:
        """Ask `clickhouse`; the tables of statements that met damage are noted in `damage`."""
        self._clickhouse = clickhouse
        self._damage = damage

    @property
    def layout(self) -> Layout:
        """How tables are called and made there."""
        return self._clickhouse.layout

    @property
    def nodes(self) -> Sequence[ClickHouse]:
        """The same, bound to one node each."""
        return [ObservedClickHouse(each, self._damage) for each in self._clickhouse.nodes]

    @property
    def hosts(self) -> Sequence[ClickHouse]:
        """The same, bound to one host each."""
        return [ObservedClickHouse(each, self._damage) for each in self._clickhouse.hosts]

    async def query(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> pa.Table:
        """Return what a SELECT answers; a span `read`."""
        with span("read", _DATABASE), self._noting(sql):
            return await self._clickhouse.query(sql, parameters, settings=settings, seconds=seconds)

    async def insert(
        self, table: str, rows: pa.Table, *, token: str, seconds: float | None = None
    ) -> None:
        """Insert rows of one shard as one block; a span `write`."""
        with span("write", _DATABASE), self._noting(f"INSERT INTO {table}"):
            await self._clickhouse.insert(table, rows, token=token, seconds=seconds)

    async def command(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run DDL or a mutation; a span `write`."""
        with span("write", _DATABASE), self._noting(sql):
            await self._clickhouse.command(sql, parameters, settings=settings, seconds=seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self._clickhouse.close()

    @contextlib.contextmanager
    def _noting(self, sql: str) -> Iterator[None]:
        try:
            yield
        except StorageDamaged:
            self._damage.note(map(self.layout.table_of, tables_of(sql)))
            raise
