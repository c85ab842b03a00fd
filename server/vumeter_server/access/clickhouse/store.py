"""Keys of organizations in ClickHouse, as a running server looks them up."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from vumeter_server.access.clickhouse.organization import HeldKey, Organization, Row, RowKind
from vumeter_server.access.clickhouse.organizations import Organizations
from vumeter_server.access.keys import StoredKey
from vumeter_server.access.store import KeyInfo
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.runtime.clock import Clock

_KEYS_IN_A_QUERY: Final = 2_000
_USES = "key_uses"


class ClickHouseKeyLookup:
    """Looks keys up for a running server; see KeyLookup for what it promises."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._organizations = Organizations(clickhouse)

    async def find_key(self, key_id: str) -> StoredKey | None:
        """Return the key of that id."""
        organization = await self._organizations.of_key(key_id)
        if organization is None:
            return None
        # A copy: the organization goes on to change.
        return with_limits(organization, organization.keys[key_id])

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        """Return the key of that id as it is listed."""
        organization = await self._organizations.of_key(key_id)
        if organization is None:
            return None
        (info,) = await key_infos(self._clickhouse, organization, [organization.keys[key_id]])
        return info

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        """Return up to `most` keys of an organization, the one that was used last first."""
        organization = await self._organizations.read(organization_id)
        infos = await key_infos(self._clickhouse, organization, list(organization.keys.values()))
        # A time of 0 is a time.
        infos.sort(
            key=lambda info: (
                info.last_used_us is None,
                -(info.last_used_us or 0),
                -info.created_us,
                info.key_id,
            )
        )
        return infos[:most]

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        """Return the labels of those keys that have one."""
        labels = {}
        for key_id in key_ids:
            organization = await self._organizations.of_key(key_id)
            if organization is not None and (label := organization.keys[key_id].label) is not None:
                labels[key_id] = label
        return labels

    async def save_last_used(self, last_used_us: Mapping[str, int]) -> None:
        """Keep when keys were last used; an older time never replaces a newer one."""
        if not last_used_us:
            return
        # One block on one shard, whichever: it is there as a whole.
        batch = secrets.randbits(62)
        rows = {
            "batch": pa.array([batch] * len(last_used_us), pa.int64()),
            "key_id": list(last_used_us),
            "used_us": pa.array(list(last_used_us.values()), pa.int64()),
        }
        await self._clickhouse.insert(
            self._clickhouse.layout.writes(_USES), pa.table(rows), token=str(batch)
        )


class ClickHouseDeletedOrganizations:
    """Implements DeletedOrganizations."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._organizations = Organizations(clickhouse)
        self._clock = clock

    async def unerased(self) -> list[int]:
        """Return the deleted organizations of which something may be left."""
        return await self._organizations.unerased()

    async def is_deleted(self, organization_id: int) -> bool:
        """Whether an organization is deleted."""
        return (await self._organizations.read(organization_id)).is_deleted

    async def set_erased(self, organization_id: int) -> None:
        """Say that nothing is left of a deleted organization."""

        def erased(organization: Organization) -> Sequence[Row] | None:
            if organization.is_erased:
                return None
            return [Row(kind=RowKind.ERASED, occurred_us=self._clock())]

        await self._organizations.change(organization_id, erased)


def with_limits(organization: Organization, key: HeldKey) -> StoredKey:
    """Return a key with the limits of its organization."""
    return replace(key.stored, limits=dict(organization.limits))


async def key_infos(
    clickhouse: ClickHouse, organization: Organization, keys: Sequence[HeldKey]
) -> list[KeyInfo]:
    """Return keys of an organization as they are listed."""
    used = await last_used(clickhouse, [key.stored.key_id for key in keys])
    return [
        KeyInfo(
            key_id=key.stored.key_id,
            organization=organization.name,
            role=key.stored.role,
            created_us=key.created_us,
            expires_us=key.stored.expires_us,
            revoked_us=key.stored.revoked_us,
            last_used_us=used.get(key.stored.key_id),
            tenant_id=key.stored.tenant_id,
            label=key.label,
        )
        for key in keys
    ]


async def last_used(clickhouse: ClickHouse, key_ids: Sequence[str]) -> dict[str, int]:
    """Return when keys were last used."""
    used: dict[str, int] = {}
    for start in range(0, len(key_ids), _KEYS_IN_A_QUERY):
        found = await clickhouse.query(
            f"SELECT key_id, max(used_us) AS used_us FROM {clickhouse.layout.reads(_USES)}"
            " WHERE key_id IN {key_ids:Array(String)} GROUP BY key_id",
            {"key_ids": key_ids[start : start + _KEYS_IN_A_QUERY]},
        )
        used |= {row["key_id"]: row["used_us"] for row in found.to_pylist()}
    return used
