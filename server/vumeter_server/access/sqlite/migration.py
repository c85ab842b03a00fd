"""Organizations, keys and the audit in SQLite, as a migration reads and writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from vumeter_server.access.migration_store import (
    CopiedAuditEntry,
    CopiedKey,
    CopiedOrganization,
)
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.audit import read_entries
from vumeter_server.access.sqlite.store import mark_deleted
from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Readers, Writer
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import organization_id_of

_KEY_COLUMNS = (
    "key_id, organization_id, role, secret_sha256, created_us, expires_us, revoked_us,"
    " last_used_us, tenant_id, label"
)
_PUT_KEY = (
    f"INSERT INTO api_keys ({_KEY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT (key_id) DO UPDATE SET role = excluded.role,"
    " secret_sha256 = excluded.secret_sha256, created_us = excluded.created_us,"
    " expires_us = excluded.expires_us, revoked_us = excluded.revoked_us,"
    " last_used_us = nullif(max(ifnull(last_used_us, -1), ifnull(excluded.last_used_us, -1)), -1),"
    " tenant_id = excluded.tenant_id, label = excluded.label"
)
_AUDIT_COLUMNS = "occurred_us, key_id, user, command, action, organization, target, details"


class SqliteAccessMigration:
    """Implements AccessMigrationStore."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    async def organizations(self) -> Sequence[CopiedOrganization]:
        """Return every organization that exists, with all keys."""
        return await self._readers.run(_read_organizations)

    async def put_organization(self, organization: CopiedOrganization) -> int:
        """Make the organization of that name what is given."""
        return await self._writer.run(partial(_put_organization, organization=organization))

    async def delete_organization(self, organization_id: int) -> None:
        """Delete an organization; the next server erases what is left."""

        def job(connection: sqlite3.Connection) -> None:
            exists = connection.execute(
                "SELECT 1 FROM organizations WHERE organization_id = ? AND deleted_us IS NULL",
                (organization_id,),
            ).fetchone()
            if exists:
                mark_deleted(connection, organization_id, self._clock())

        await self._writer.run(job)

    async def audit_entries(self) -> Sequence[CopiedAuditEntry]:
        """Return every entry of the audit."""
        return await self._readers.run(_read_audit)

    async def add_audit_entries(self, entries: Sequence[CopiedAuditEntry]) -> None:
        """Add entries as they are given."""
        rows = [
            (
                each.occurred_us,
                each.key_id,
                each.user,
                each.command,
                each.action,
                each.organization,
                each.target,
                each.details,
            )
            for each in entries
        ]
        await self._writer.run(
            lambda connection: connection.executemany(
                f"INSERT INTO audit_entries ({_AUDIT_COLUMNS})"  # noqa: S608 - our names
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
        )


def last_entry(connection: sqlite3.Connection, action: str) -> CopiedAuditEntry | None:
    """Return the newest entry of an action, or of those that begin with a word."""
    for entry in read_entries(connection, most=1, action=action):
        return CopiedAuditEntry(
            occurred_us=entry.occurred_us,
            key_id=entry.actor.key_id,
            user=entry.actor.user,
            command=entry.actor.command,
            action=entry.action,
            organization=entry.organization,
            target=entry.target,
            details=json.dumps(
                entry.details, ensure_ascii=False, sort_keys=True, separators=(",", ":")
            ),
        )
    return None


def _read_organizations(connection: sqlite3.Connection) -> list[CopiedOrganization]:
    keys: dict[int, dict[str, CopiedKey]] = {}
    for row in connection.execute(f"SELECT {_KEY_COLUMNS} FROM api_keys ORDER BY key_id"):  # noqa: S608
        key_id, organization_id, role, digest, created, expires, revoked, used, tenant, label = row
        keys.setdefault(organization_id, {})[key_id] = CopiedKey(
            key_id=key_id,
            role=Role(role),
            secret_sha256=digest,
            created_us=created,
            expires_us=expires,
            revoked_us=revoked,
            last_used_us=used,
            tenant_id=tenant,
            label=label,
        )
    limits: dict[int, dict[str, int]] = {}
    for organization_id, name, value in connection.execute(
        "SELECT organization_id, name, value FROM organization_limits"
    ):
        limits.setdefault(organization_id, {})[name] = value
    return [
        CopiedOrganization(
            organization_id=organization_id,
            name=name,
            created_us=created_us,
            keys=keys.get(organization_id, {}),
            limits=limits.get(organization_id, {}),
        )
        for organization_id, name, created_us in connection.execute(
            "SELECT organization_id, name, created_us FROM organizations"
            " WHERE deleted_us IS NULL ORDER BY name"
        )
    ]


def _put_organization(connection: sqlite3.Connection, organization: CopiedOrganization) -> int:
    connection.execute(
        "INSERT INTO organizations (name, created_us) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET created_us = excluded.created_us",
        (organization.name, organization.created_us),
    )
    organization_id = organization_id_of(connection, organization.name)
    assert organization_id is not None
    connection.executemany(
        _PUT_KEY,
        [
            (
                key.key_id,
                organization_id,
                key.role.value,
                key.secret_sha256,
                key.created_us,
                key.expires_us,
                key.revoked_us,
                key.last_used_us,
                key.tenant_id,
                key.label,
            )
            for key in organization.keys.values()
        ],
    )
    connection.execute(
        "DELETE FROM organization_limits WHERE organization_id = ?", (organization_id,)
    )
    connection.executemany(
        "INSERT INTO organization_limits (organization_id, name, value) VALUES (?, ?, ?)",
        [(organization_id, name, value) for name, value in organization.limits.items()],
    )
    return organization_id


def _read_audit(connection: sqlite3.Connection) -> list[CopiedAuditEntry]:
    rows = connection.execute(
        f"SELECT {_AUDIT_COLUMNS} FROM audit_entries ORDER BY occurred_us, entry_number"  # noqa: S608
    )
    return [
        CopiedAuditEntry(
            occurred_us=occurred_us,
            key_id=key_id,
            user=user,
            command=command,
            action=action,
            organization=organization,
            target=target,
            details=json.dumps(
                json.loads(details), ensure_ascii=False, sort_keys=True, separators=(",", ":")
            ),
        )
        for (
            occurred_us,
            key_id,
            user,
            command,
            action,
            organization,
            target,
            details,
        ) in rows
    ]
