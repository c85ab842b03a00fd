"""Organizations, keys and the audit in ClickHouse, as a migration reads and writes them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from vumeter_server.access.clickhouse.audit import NOBODYS, noted
from vumeter_server.access.clickhouse.organization import (
    HeldKey,
    KeyContent,
    Organization,
    Row,
    RowKind,
    created,
    limits_changed,
)
from vumeter_server.access.clickhouse.organizations import Organizations
from vumeter_server.access.clickhouse.store import ClickHouseKeyLookup, last_used
from vumeter_server.access.migration_store import (
    CopiedAuditEntry,
    CopiedKey,
    CopiedOrganization,
)
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.runtime.actors import this_user
from vumeter_server.runtime.clock import Clock


class ClickHouseAccessMigration:
    """Implements AccessMigrationStore."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._organizations = Organizations(clickhouse)
        self._lookup = ClickHouseKeyLookup(clickhouse)

    async def organizations(self) -> Sequence[CopiedOrganization]:
        """Return every organization that exists, with all keys."""
        found = [each for each in await self._organizations.all() if each.exists]
        used = await last_used(self._clickhouse, [key_id for each in found for key_id in each.keys])
        return [
            CopiedOrganization(
                organization_id=each.organization_id,
                name=each.name,
                created_us=each.created_us,
                keys={key_id: _copied(each.keys[key_id], used) for key_id in sorted(each.keys)},
                limits=dict(each.limits),
            )
            for each in sorted(found, key=lambda each: each.name)
        ]

    async def put_organization(self, organization: CopiedOrganization) -> int:
        """Make the organization of that name what is given, in one entry."""
        while True:
            place = await self._organizations.named_or_new(organization.name)
            rows: list[Row] = []

            def change(found: Organization, rows: list[Row] = rows) -> Sequence[Row] | None:
                rows[:] = [] if found.is_deleted else _differences(found, organization)
                return rows

            if await self._organizations.change(place.organization_id, change) or not rows:
                found = await self._organizations.read(place.organization_id)
                if found.exists:
                    break
        used = {
            key.key_id: key.last_used_us
            for key in organization.keys.values()
            if key.last_used_us is not None
        }
        known = await last_used(self._clickhouse, list(used))
        await self._lookup.save_last_used(
            {key_id: used_us for key_id, used_us in used.items() if used_us > known.get(key_id, -1)}
        )
        return place.organization_id

    async def delete_organization(self, organization_id: int) -> None:
        """Delete an organization; the next server erases what is left."""
        now_us = self._clock()
        note = noted(this_user(), "organization.delete", now_us, details={})
        rows = [Row(kind=RowKind.DELETED, occurred_us=now_us), note]
        await self._organizations.change(
            organization_id, lambda organization: rows if organization.exists else None
        )

    async def audit_entries(self) -> Sequence[CopiedAuditEntry]:
        """Return every entry of the audit."""
        names = {each.organization_id: each.name for each in await self._organizations.all()}
        layout = self._clickhouse.layout
        entries = []
        for table, kind in (
            ("organization_entries", f" WHERE kind = '{RowKind.AUDIT.value}'"),
            ("audit_entries", ""),
        ):
            found = await self._clickhouse.query(
                f"SELECT organization, occurred_us, content FROM {layout.reads(table)}{kind}"
                f" ORDER BY occurred_us, {RECORDED_US}"
            )
            entries += [_entry(row, names) for row in found.to_pylist()]
        return sorted(entries, key=lambda entry: entry.occurred_us)

    async def add_audit_entries(self, entries: Sequence[CopiedAuditEntry]) -> None:
        """Add entries as they are given; those of one organization are a block."""
        numbers = {each.name: each.organization_id for each in await self._organizations.all()}
        by_organization: dict[int, list[CopiedAuditEntry]] = {}
        for entry in entries:
            number = numbers.get(entry.organization or "", NOBODYS)
            by_organization.setdefault(number, []).append(entry)
        for number, some in by_organization.items():
            rows = {
                "organization": pa.array([number] * len(some), pa.int64()),
                "occurred_us": pa.array([each.occurred_us for each in some], pa.int64()),
                "content": [_content(each) for each in some],
            }
            await self._clickhouse.insert(
                self._clickhouse.layout.writes("audit_entries"),
                pa.table(rows),
                token=secrets.token_hex(16),
            )


async def last_entry(clickhouse: ClickHouse, action: str) -> CopiedAuditEntry | None:
    """Return the newest entry of an action that belongs to no organization.

    `action` may be the first word of actions: `migration` for `migration.begin`.
    """
    found = await clickhouse.query(
        "SELECT organization, occurred_us, content"
        f" FROM {clickhouse.layout.reads('audit_entries')} WHERE organization = {NOBODYS}"
        " AND (JSONExtractString(content, 'action') AS action = {action:String}"
        " OR startsWith(action, {word:String}))"
        f" ORDER BY occurred_us DESC, {RECORDED_US} DESC LIMIT 1",
        {"action": action, "word": f"{action}."},
    )
    for row in found.to_pylist():
        return _entry(row, {})
    return None


def _copied(key: HeldKey, used: Mapping[str, int]) -> CopiedKey:
    stored = key.stored
    return CopiedKey(
        key_id=stored.key_id,
        role=stored.role,
        secret_sha256=stored.secret_sha256,
        created_us=key.created_us,
        expires_us=stored.expires_us,
        revoked_us=stored.revoked_us,
        last_used_us=used.get(stored.key_id),
        tenant_id=stored.tenant_id,
        label=key.label,
    )


def _differences(found: Organization, wanted: CopiedOrganization) -> list[Row]:
    """Return the rows that make an organization what is wanted; none if it is that."""
    rows = []
    if not found.exists or (found.name, found.created_us) != (wanted.name, wanted.created_us):
        rows.append(created(wanted.name, wanted.created_us))
    for key in wanted.keys.values():
        known = found.keys.get(key.key_id)
        if known is None or _copied(known, {}) != key.unused():
            rows += _key_rows(key)
    changed: dict[str, int | None] = dict.fromkeys(found.limits.keys() - wanted.limits.keys())
    changed |= {
        name: value for name, value in wanted.limits.items() if found.limits.get(name) != value
    }
    if changed:
        rows.append(limits_changed(changed, wanted.created_us))
    return rows


def _key_rows(key: CopiedKey) -> Iterable[Row]:
    content = KeyContent(
        role=key.role.value,
        secret_sha256=key.secret_sha256,
        expires_us=key.expires_us,
        tenant_id=key.tenant_id,
        label=key.label,
    )
    yield Row(
        kind=RowKind.KEY,
        occurred_us=key.created_us,
        key_id=key.key_id,
        content=msgspec.json.encode(content),
    )
    if key.revoked_us is not None:
        yield Row(kind=RowKind.REVOKED, occurred_us=key.revoked_us, key_id=key.key_id)


def _entry(row: Mapping[str, Any], names: Mapping[int, str]) -> CopiedAuditEntry:
    content = msgspec.json.decode(row["content"])
    return CopiedAuditEntry(
        occurred_us=row["occurred_us"],
        key_id=content["key_id"],
        user=content["user"],
        command=content["command"],
        action=content["action"],
        organization=content.get("organization", names.get(row["organization"])),
        target=content["target"],
        details=msgspec.json.encode(content["details"], order="sorted").decode(),
    )


def _content(entry: CopiedAuditEntry) -> str:
    """Return an entry as it is stored: with the name of its organization, which may be gone."""
    content = {
        "key_id": entry.key_id,
        "user": entry.user,
        "command": entry.command,
        "action": entry.action,
        "target": entry.target,
        "details": msgspec.json.decode(entry.details),
        "organization": entry.organization,
    }
    return msgspec.json.encode(content).decode()
