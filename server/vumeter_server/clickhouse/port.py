"""The port: all that the stores ask of ClickHouse, in three calls.

`http.HttpClickHouse` asks a server or a cluster; tests also run on the engine in their own process.

    names = pa.table({"organization": ids, "name": ["a", "b"]})
    await clickhouse.insert(layout.writes("names"), names, token=f"{organization}/names/1")
    found = await clickhouse.query(
        f"SELECT name FROM {layout.reads('names')} WHERE organization = {{organization:Int64}}",
        {"organization": organization},
    )
    found.column("name").to_pylist()

Tables of answers and of what is inserted are Arrow's. Columns of `LowCardinality(String)` come as
dictionaries, as do the keys and values of a `Map`; Int128 comes as 16 bytes, the lower first.

What every call raises:

- Unavailable: a node or a shard is down, hung, full, busy or read-only, or the connection broke.
  Nothing is ever answered from a part of the shards. Of an insert it is not known whether it was
  stored: all of the block was, or nothing.
- DeadlineExceeded: the time limit passed; nothing of it runs on.
- StorageDamaged: what is stored is not what was written.
- ClickHouseError, with the `code`, for everything else: a limit that the statement set itself, such
  as `max_rows_to_group_by` (158), or a defect of the statement.

A query whose asyncio task is cancelled stops on all nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from vumeter_server.clickhouse.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa

Parameter: TypeAlias = str | int | float | Sequence[str] | Sequence[int] | Sequence[float]
"""What a statement's `{name:Type}` can be. Long lists make long requests: one parameter may have up
to 128 KiB of text."""
Setting: TypeAlias = str | int


class ClickHouse(Protocol):
    """A ClickHouse server or cluster, in one database."""

    @property
    def layout(self) -> Layout:
        """How tables are called and made there."""

    @property
    def nodes(self) -> Sequence[ClickHouse]:
        """The same, bound to one node each: all that must get what only they can do.

        That is DDL and mutations, which go to `layout.local` tables. With ON CLUSTER it is one that
        passes it to the others.
        """

    @property
    def hosts(self) -> Sequence[ClickHouse]:
        """The same, bound to one host each, with ON CLUSTER too: for what is noted on each."""

    async def query(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> pa.Table:
        """Return what a SELECT without FORMAT answers.

        It is asked of the next host if one does not answer. `seconds` is its time limit, by default
        that of all queries.
        """

    async def insert(
        self, table: str, rows: pa.Table, *, token: str, seconds: float | None = None
    ) -> None:
        """Insert rows of one shard as one block, durably: all of them or none.

        `token` is the block's name among all that are inserted into `table`: of several blocks with
        one name the first is stored, and the others are acknowledged and dropped. So an
        acknowledged insert has to be read back, wherever two may choose one token (`steps` does).
        It is sent once, to the first host that takes it. Columns that are not given have their
        defaults. An empty block is a defect.
        """

    async def command(
        self,
        sql: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        settings: Mapping[str, Setting] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run DDL or a mutation, and wait until it is done on the node that is asked."""

    async def close(self) -> None:
        """Close all connections."""
