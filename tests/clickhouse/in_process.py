"""ClickHouse's engine in this process: the port as the stores know it, without a server.

It is chdb, which can do what a single node can: no cluster, no replicas, no cancelling. There is
one engine in a process, on a thread of its own; tests keep apart by databases.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import Error

from vumeter_server.clickhouse import ClickHouse, Layout, Parameter, migrate
from vumeter_server.clickhouse.blocks import decode_answer, encode_block
from vumeter_server.clickhouse.failures import public_error
from vumeter_server.clickhouse.layout import ROOM_KEPT
from vumeter_server.clickhouse.port import Setting

T = TypeVar("T")

_OF_ALL: Final[Mapping[str, Setting]] = {
    # A setting of one command costs more than the command: it is read, set and set back.
    "alter_sync": 2,
    "async_insert": 0,
    # Tests ask little, and share the processors.
    "max_threads": 1,
    "mutations_sync": 2,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
}
_numbers = itertools.count(1)


class InProcessClickHouse:
    """Implements ClickHouse in this process."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @property
    def nodes(self) -> Sequence[ClickHouse]:
        """The one."""
        return [self]

    @property
    def hosts(self) -> Sequence[ClickHouse]:
        """The one."""
        return [self]

    async def query(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> pa.Table:
        """Return what a SELECT answers."""
        all_settings = {"max_execution_time": seconds or 10, **(settings or {})}
        # In the statement they take no statements of their own, before it and behind it.
        own = ", ".join(f"{name} = {value!r}" for name, value in all_settings.items())
        return await decode_answer(
            await _on_thread(
                lambda client: client.raw_query(
                    f"{sql} SETTINGS {own}", parameters=dict(parameters or {}), fmt="ArrowStream"
                )
            )
        )

    async def insert(
        self, table: str, rows: pa.Table, *, token: str, seconds: float | None = None
    ) -> None:
        """Insert rows as one block."""
        data = encode_block(rows)
        await _on_thread(
            lambda client: client.raw_insert(
                table,
                rows.column_names,
                data,
                settings={"insert_deduplication_token": token},
                fmt="ArrowStream",
            )
        )

    async def command(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run DDL or a mutation."""
        await _on_thread(
            lambda client: client.command(
                sql,
                parameters=dict(parameters or {}),
                settings=dict(settings or {}),
            )
        )

    async def close(self) -> None:
        """Leave the engine to the others."""


@functools.cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "chdb")


@functools.cache
def _client() -> Any:
    # Where there is a file system in memory, syncing costs nothing.
    memory = Path("/dev/shm")
    is_roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * ROOM_KEPT
    directory = tempfile.mkdtemp(prefix="vumeter-chdb-", dir=memory if is_roomy else None)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    client = clickhouse_connect.get_client(interface="chdb", path=directory)
    for name, value in _OF_ALL.items():
        client.command(f"SET {name} = {value}")
    # The first insert takes seconds, which no test has: an entry is given up after five.
    client.command("CREATE TABLE first (n Int64) ENGINE = Memory")
    client.raw_insert("first", ["n"], encode_block(pa.table({"n": [1]})), fmt="ArrowStream")
    return client


async def _on_thread(ask: Callable[[Any], T]) -> T:
    def run() -> T:
        client = _client()
        try:
            return ask(client)
        except Error as error:
            # What a failed query had begun to answer would stand before the next answer.
            client.raw_query("SELECT 1", fmt="Null")
            if error.code is None:
                raise
            raise public_error(error.code, str(error)) from None

    return await asyncio.get_running_loop().run_in_executor(_thread(), run)


def empty_database() -> InProcessClickHouse:
    """Return a database that nobody has used, without tables."""
    return InProcessClickHouse(Layout(database=f"test_{next(_numbers)}"))


@contextlib.asynccontextmanager
async def in_process_clickhouse() -> AsyncIterator[InProcessClickHouse]:
    """Open an empty database with the tables of this version, and drop it at the end."""
    clickhouse = empty_database()
    await migrate(clickhouse)
    try:
        yield clickhouse
    finally:
        await clickhouse.command(f"DROP DATABASE {clickhouse.layout.database}")
