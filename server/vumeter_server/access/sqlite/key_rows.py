"""Rows of keys, read as the key that they store."""

from __future__ import annotations

import msgspec

from vumeter_server.access.keys import StoredKey
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyInfo
from vumeter_server.sqlite.library import sqlite3

_SELECT_KEYS = (
    "SELECT key_id, name, role, k.created_us, expires_us, revoked_us, last_used_us, tenant_id,"
    " label FROM api_keys k JOIN organizations USING (organization_id)"
)


def key_infos(
    connection: sqlite3.Connection, condition: str, parameters: tuple[int | str, ...]
) -> list[KeyInfo]:
    """Return keys as they are listed; `condition` is what follows in the statement."""
    rows = connection.execute(_SELECT_KEYS + condition, parameters).fetchall()
    return [
        KeyInfo(
            key_id=key_id,
            organization=name,
            role=Role(role),
            created_us=created_us,
            expires_us=expires_us,
            revoked_us=revoked_us,
            last_used_us=last_used_us,
            tenant_id=tenant_id,
            label=label,
        )
        for (
            key_id,
            name,
            role,
            created_us,
            expires_us,
            revoked_us,
            last_used_us,
            tenant_id,
            label,
        ) in rows
    ]


def find_key(connection: sqlite3.Connection, key_id: str) -> StoredKey | None:
    """Return the key of that id."""
    row = connection.execute(
        "SELECT organization_id, role, secret_sha256, expires_us, revoked_us, tenant_id,"
        " (SELECT json_group_object(name, value) FROM organization_limits l"
        " WHERE l.organization_id = k.organization_id) FROM api_keys k WHERE key_id = ?",
        (key_id,),
    ).fetchone()
    if row is None:
        return None
    organization_id, role, secret_sha256, expires_us, revoked_us, tenant_id, limits = row
    return StoredKey(
        key_id=key_id,
        organization_id=organization_id,
        role=Role(role),
        secret_sha256=secret_sha256,
        expires_us=expires_us,
        revoked_us=revoked_us,
        tenant_id=tenant_id,
        limits=msgspec.json.decode(limits, type=dict[str, int]),
    )
