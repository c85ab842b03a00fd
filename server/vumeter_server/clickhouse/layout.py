"""How tables are called and made, on a single node, a cluster, or one with replicas.

On a cluster each table stands three times: `NAME_local` on every node holds the rows, `NAME` reads
all shards, `NAME_in` writes to the shard of a row. Without a cluster there is `NAME_local` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vumeter_server.runtime.store_address import ClickHouseAddress, Engine

RECORDED_US: Final = "recorded_us"
"""The column by which rows are in the order of recording: microseconds since the epoch by the clock
of the node that stores them, which is one clock for all rows of a shard. No insert gives it."""

DEDUPLICATED_BLOCKS: Final = 10_000
"""Inserts of a shard during which a token is remembered."""
_DEDUPLICATED_SECONDS: Final = 604_800

ROOM_KEPT: Final = 1 << 30
"""Bytes of a node's disk that inserts leave free: what is removed is rewritten first, and removing
is what is left to do on a full disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a table; `type` may go on with DEFAULT or CODEC."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """See the module; fields are those of ClickHouseAddress."""

    database: str
    cluster: str = ""
    engine: Engine = "MergeTree"
    on_cluster: bool = False

    @classmethod
    def of(cls, address: ClickHouseAddress) -> Layout:
        """Return the layout of a store."""
        return cls(
            database=address.database,
            cluster=address.cluster,
            engine=address.engine,
            on_cluster=address.on_cluster,
        )

    @property
    def is_replicated(self) -> bool:
        """Whether each shard is on several nodes, of which one may be behind another."""
        return self.engine == "ReplicatedMergeTree"

    def local(self, name: str) -> str:
        """Return the table that holds rows on a node: for DDL and mutations on every node."""
        return f"{self.database}.{name}_local"

    def reads(self, name: str) -> str:
        """Return the table to select from."""
        return f"{self.database}.{name}" if self.cluster else self.local(name)

    def writes(self, name: str) -> str:
        """Return the table to insert into."""
        return f"{self.database}.{name}_in" if self.cluster else self.local(name)

    def table_of(self, name: str) -> str:
        """Return the table that `local`, `reads` and `writes` made a name of; others unchanged."""
        return name.removesuffix("_local").removesuffix("_in")

    @property
    def everywhere(self) -> str:
        """ON CLUSTER, behind the name of a table in DDL, if DDL reaches nodes so."""
        return f" ON CLUSTER {self.cluster}" if self.on_cluster else ""

    def create_database(self) -> str:
        """Return the statement that makes the database."""
        return f"CREATE DATABASE IF NOT EXISTS {self.database}{self.everywhere}"

    def create_table(
        self,
        name: str,
        columns: Sequence[Column],
        *,
        order_by: str,
        shard_by: str,
        merging: str = "",
        projections: Sequence[str] = (),
        indexes: Sequence[str] = (),
        settings: Sequence[str] = (),
        is_recorded: bool = True,
    ) -> list[str]:
        """Return the statements that make a table, to be run on each of the nodes.

        `order_by` is its sorting key, without partitions: a block over several would not be stored
        at once. `shard_by` are the columns that say on which shard a row is. `merging` is a variant
        of the engine: `Replacing(seq)`, `Aggregating`. `projections` go on behind PROJECTION,
        `indexes` behind INDEX. `is_recorded` adds RECORDED_US.
        """
        all_columns = [f"{column.name} {column.type}" for column in columns]
        given = [f"{column.name} {column.type.partition(' DEFAULT ')[0]}" for column in columns]
        if is_recorded:
            all_columns.append(f"{RECORDED_US} Int64 DEFAULT toUnixTimestamp64Micro(now64(6))")
        body = ", ".join(
            [
                *all_columns,
                *(f"INDEX {each}" for each in indexes),
                *(f"PROJECTION {each}" for each in projections),
            ]
        )
        statements = [
            f"CREATE TABLE IF NOT EXISTS {self.local(name)}{self.everywhere} ({body})"
            f" ENGINE = {self._engine(name, merging)} ORDER BY {order_by}"
            f" SETTINGS {', '.join([*self._durability(), *settings])}"
        ]
        if not self.cluster:
            return statements
        for table, its_columns in ((self.reads(name), all_columns), (self.writes(name), given)):
            statements.append(
                f"CREATE TABLE IF NOT EXISTS {table}{self.everywhere} ({', '.join(its_columns)})"
                f" ENGINE = Distributed('{self.cluster}', '{self.database}', '{name}_local',"
                f" cityHash64({shard_by}))"
            )
        return statements

    def _engine(self, name: str, merging: str) -> str:
        variant, _, rest = merging.partition("(")
        arguments = [rest.rstrip(")")] if rest else []
        if self.is_replicated:
            variant = f"Replicated{variant}"
            # Without a path each CREATE has one of its own: a replica that is added later, or made
            # again, would be no replica of its shard, without any error.
            path = f"/clickhouse/tables/{{shard}}/{self.database}/{name}_local"
            arguments = [f"'{path}'", "'{replica}'", *arguments]
        return f"{variant}MergeTree({', '.join(arguments)})"

    def _durability(self) -> list[str]:
        if self.is_replicated:
            windows = [
                f"replicated_deduplication_window = {DEDUPLICATED_BLOCKS}",
                f"replicated_deduplication_window_seconds = {_DEDUPLICATED_SECONDS}",
            ]
        else:
            windows = [f"non_replicated_deduplication_window = {DEDUPLICATED_BLOCKS}"]
        return [
            *windows,
            "fsync_after_insert = 1",
            "fsync_part_directory = 1",
            f"min_free_disk_bytes_to_perform_insert = {ROOM_KEPT}",
        ]
