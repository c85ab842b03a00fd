"""Organizations as they are read from their logs, and how something is done to one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import pyarrow as pa
from cachetools import LRUCache

from vumeter_server.access.clickhouse.organization import Organization, Row, RowKind, block_of
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.entry_log import EntryLog
from vumeter_server.clickhouse.layout import RECORDED_US

_CACHED_ORGANIZATIONS: Final = 10_000
_CACHED_KEYS: Final = 100_000
_NAMES, _ENTRIES = "organizations", "organization_entries"
_COLUMNS: Final = "organization, seq, entry, kind, occurred_us, key_id, content"
_IN_ORDER: Final = f"ORDER BY organization, seq, {RECORDED_US}, entry"

Change = Callable[[Organization], Sequence[Row] | None]
"""Says what is done to an organization as it is now; None for nothing."""


class Organizations:
    """Reads organizations, and appends to their logs."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._entries = EntryLog(clickhouse, _ENTRIES, {"organization": "Int64"})
        self._names = EntryLog(clickhouse, _NAMES, {"log": "Int64"})
        # An organization's log only grows: what is known of it is read on from there.
        self._known: LRUCache[int, Organization] = LRUCache(_CACHED_ORGANIZATIONS)
        # A key is of one organization for ever.
        self._of_keys: LRUCache[str, int] = LRUCache(_CACHED_KEYS)

    async def read(self, organization_id: int) -> Organization:
        """Return an organization as it is now."""
        known = self._known.get(organization_id) or Organization(organization_id=organization_id)
        found = await self._clickhouse.query(
            f"SELECT {_COLUMNS} FROM {self._clickhouse.layout.reads(_ENTRIES)}"
            f" WHERE organization = {{organization:Int64}} AND seq > {{seq:Int64}} {_IN_ORDER}",
            {"organization": organization_id, "seq": known.seq},
        )
        for _, seq, rows in _entries_of(found.to_pylist()):
            known.apply(seq, rows)
        if known.seq:
            self._known[organization_id] = known
        return known

    async def all(self) -> list[Organization]:
        """Return every organization as it is now, also those that were deleted."""
        found = await self._clickhouse.query(
            f"SELECT {_COLUMNS} FROM {self._clickhouse.layout.reads(_ENTRIES)} {_IN_ORDER}"
        )
        organizations: dict[int, Organization] = {}
        for organization_id, seq, rows in _entries_of(found.to_pylist()):
            organizations.setdefault(
                organization_id, Organization(organization_id=organization_id)
            ).apply(seq, rows)
        return list(organizations.values())

    async def of_key(self, key_id: str) -> Organization | None:
        """Return the organization of a key as it is now, None if nobody has that key."""
        organization_id = self._of_keys.get(key_id)
        if organization_id is None:
            organization_id = await self._find_key(key_id)
            if organization_id is None:
                return None
            self._of_keys[key_id] = organization_id
        organization = await self.read(organization_id)
        return organization if key_id in organization.keys else None

    async def of_code(self, code_sha256: bytes) -> Organization | None:
        """Return the organization of a sign-in code as it is now, None if there is no such code."""
        organization_id = await self._find_key(code_sha256.hex())
        return None if organization_id is None else await self.read(organization_id)

    async def named(self, name: str) -> Organization | None:
        """Return the organization of a name as it is now, None if there is none."""
        _, number = await self._numbers(name)
        organization = await self.read(number) if number else None
        return organization if organization and organization.exists else None

    async def named_or_new(self, name: str) -> Organization:
        """Return the organization of a name; if there is none, the name is given to a new one.

        That has no entry yet: it exists from its first entry on.
        """
        while True:
            read_at = asyncio.get_running_loop().time()
            last, number = await self._numbers(name)
            if number and not (found := await self.read(number)).is_deleted:
                return found
            row = pa.table({"log": pa.array([0], pa.int64()), "name": [name]})
            if await self._names.append({"log": 0}, last + 1, row, read_at=read_at):
                return Organization(organization_id=last + 1)

    async def change(self, organization_id: int, change: Change) -> bool:
        """Append what `change` says; False if that is None. It may be asked more than once."""
        while True:
            read_at = asyncio.get_running_loop().time()
            organization = await self.read(organization_id)
            if not (rows := change(organization)):
                return False
            block = block_of(organization_id, rows)
            key = {"organization": organization_id}
            if await self._entries.append(key, organization.seq + 1, block, read_at=read_at):
                return True

    async def unerased(self) -> list[int]:
        """Return deleted organizations that are not known to be erased, in order."""
        found = await self._clickhouse.query(
            "SELECT organization, countIf(kind = {deleted:String}) AS deleted,"
            " countIf(kind = {erased:String}) AS erased"
            f" FROM {self._clickhouse.layout.reads(_ENTRIES)} GROUP BY organization"
            " HAVING deleted > 0 AND erased = 0 ORDER BY organization",
            {"deleted": RowKind.DELETED.value, "erased": RowKind.ERASED.value},
        )
        return list(found.column("organization").to_pylist())

    async def _numbers(self, name: str) -> tuple[int, int]:
        """Return the last number that was given, and the last that was given to a name, or 0."""
        found = await self._clickhouse.query(
            "SELECT max(seq) AS last, maxIf(seq, name = {name:String}) AS of_name"
            f" FROM {self._clickhouse.layout.reads(_NAMES)} WHERE log = 0",
            {"name": name},
        )
        (row,) = found.to_pylist()
        return row["last"], row["of_name"]

    async def _find_key(self, key_id: str) -> int | None:
        """Return whose a key is, or a code, which stands in the same column as its hash."""
        # Where it is found, a shard that is down does not matter; where not, it may be there.
        for skip in (1, 0):
            found = await self._clickhouse.query(
                f"SELECT organization FROM {self._clickhouse.layout.reads(_ENTRIES)}"
                " WHERE key_id = {key_id:String} LIMIT 1",
                {"key_id": key_id},
                settings={"skip_unavailable_shards": skip},
            )
            if found.num_rows:
                return int(found.column("organization")[0].as_py())
        return None


def _entries_of(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, int, list[Row]]]:
    """Yield organization, number and rows of each entry, of rows that are in order."""
    for (organization_id, seq), group in groupby(
        rows, key=lambda row: (row["organization"], row["seq"])
    ):
        its_rows = list(group)
        yield (
            organization_id,
            seq,
            [
                Row(
                    kind=RowKind(row["kind"]),
                    occurred_us=row["occurred_us"],
                    key_id=row["key_id"],
                    content=row["content"].encode(),
                )
                for row in its_rows
                # The first one got the number.
                if row["entry"] == its_rows[0]["entry"]
            ],
        )
