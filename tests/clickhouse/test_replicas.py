"""What is sent where shards have replicas, and what an entry does that is not read back.

No test has replicas: the nodes that tests can start have no Keeper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pytest
from tests.clickhouse.in_process import InProcessClickHouse, in_process_clickhouse

from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.store_address import ClickHouseAddress, parse_store_address

STORE: Final = "clickhouse://a/base?cluster=main"
REPLICATED: Final = f"{STORE}&engine=ReplicatedMergeTree"
TABLE: Final = "organization_entries"


class Driver:
    """Notes the settings of what is sent."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}

    async def raw_insert(self, *_: object, settings: Mapping[str, Any], **__: object) -> None:
        """Insert nothing."""
        self.settings = dict(settings)

    async def raw_query(self, *_: object, settings: Mapping[str, Any], **__: object) -> bytes:
        """Answer a table without rows."""
        self.settings = dict(settings)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema({"one": pa.int64()})):
            pass
        answer: bytes = sink.getvalue().to_pybytes()
        return answer


class OneHost:
    """A host that lets a driver be asked."""

    is_avoided = False

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def ask(self, ask: Any) -> Any:
        """Ask the driver."""
        return await ask(self._driver)


async def settings_of(store: str, *, inserting: bool) -> dict[str, Any]:
    """Return with which settings a store inserts, or asks."""
    address = parse_store_address(store)
    assert isinstance(address, ClickHouseAddress)
    clickhouse, driver = HttpClickHouse.at(address, ""), Driver()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clickhouse, "_hosts", [OneHost(driver)])
        if inserting:
            await clickhouse.insert("base.rows_in", pa.table({"shard": [1]}), token="1")
        else:
            await clickhouse.query("SELECT 1 AS one")
    return driver.settings


@pytest.mark.parametrize(
    ("store", "quorum"),
    [
        (REPLICATED, "auto"),
        (f"{REPLICATED}&quorum=3", "3"),
        (f"{REPLICATED}&quorum=1&on_cluster=true", "1"),
        (STORE, None),
    ],
)
async def test_an_insert_waits_for_as_many_replicas_as_the_store_says(
    store: str, quorum: str | None
) -> None:
    settings = await settings_of(store, inserting=True)
    assert settings.get("insert_quorum") == quorum
    # Else recordings of other organizations would be rejected while one waits.
    assert settings.get("insert_quorum_parallel") == (1 if quorum else None)
    assert settings["insert_deduplication_token"] == "1"
    assert settings["distributed_foreground_insert"] == 1


@pytest.mark.parametrize("inserting", [True, False])
async def test_all_servers_read_and_write_one_replica_while_it_answers(inserting: bool) -> None:
    of_replicas = await settings_of(REPLICATED, inserting=inserting)
    assert of_replicas["load_balancing"] == "in_order"
    assert of_replicas["prefer_localhost_replica"] == 0
    assert "prefer_localhost_replica" not in await settings_of(STORE, inserting=inserting)


class BehindReplica(InProcessClickHouse):
    """Replicas of which the one that is read has got none of the last entries."""

    def __init__(self, behind: InProcessClickHouse) -> None:
        super().__init__(behind.layout)
        self.tokens: list[str] = []
        self.is_behind = True

    async def query(self, sql: str, *args: Any, **kwargs: Any) -> pa.Table:
        """Answer from what the replica has."""
        found = await super().query(sql, *args, **kwargs)
        return found.slice(0, 0) if self.is_behind else found

    async def insert(
        self, table: str, rows: pa.Table, *, token: str, seconds: float | None = None
    ) -> None:
        """Insert into another replica."""
        self.tokens.append(token)
        await super().insert(table, rows, token=token, seconds=seconds)


async def test_what_a_replica_has_not_got_yet_is_not_stored_beside_it() -> None:
    async with in_process_clickhouse() as shared:
        replica = BehindReplica(shared)
        replica.layout = replace(shared.layout, engine="ReplicatedMergeTree")
        log = EntryLog(replica, TABLE, {"organization": "Int64"})

        async def append(kind: str) -> bool:
            rows = pa.table({"organization": pa.array([7], pa.int64()), "kind": [kind]})
            now = asyncio.get_running_loop().time()
            return await log.append({"organization": 7}, 1, rows, read_at=now)

        for kind in ("first", "second"):
            with pytest.raises(Unavailable):
                await append(kind)
        assert replica.tokens == [f"{TABLE}/7/1#0"] * 2
        replica.is_behind = False
        assert not await append("third")
        found = await shared.query(f"SELECT kind FROM {shared.layout.reads(TABLE)}")
        assert found.column("kind").to_pylist() == ["first"]
