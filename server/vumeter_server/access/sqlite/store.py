"""Organizations and keys in SQLite."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from vumeter_server.access.keys import (
    NewKey,
    StoredKey,
    new_key,
    rotated_expiry,
    secret_digest,
)
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.deleted_organizations import read_unerased
from vumeter_server.access.sqlite.key_rows import find_key, key_infos
from vumeter_server.access.store import KeyInfo, OrganizationInfo
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.sqlite import Database, Readers, Writer, audit
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.organization_rows import organization_id_of


class SqliteKeyLookup:
    """Looks keys up for a running server; see KeyLookup for what it promises."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def find_key(self, key_id: str) -> StoredKey | None:
        """Return the key of that id."""
        return await self._readers.run(lambda connection: find_key(connection, key_id))

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        """Return the key of that id as it is listed."""
        rows = await self._readers.run(
            lambda connection: key_infos(connection, " WHERE key_id = ?", (key_id,))
        )
        return rows[0] if rows else None

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        """Return up to `most` keys of an organization, the one that was used last first."""
        return await self._readers.run(
            lambda connection: key_infos(
                connection,
                " WHERE k.organization_id = ?"
                " ORDER BY last_used_us DESC NULLS LAST, k.created_us DESC, key_id LIMIT ?",
                (organization_id, most),
            )
        )

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        """Return the labels of those keys that have one."""
        rows = await self._readers.run(
            lambda connection: connection.execute(
                "SELECT key_id, label FROM api_keys WHERE label IS NOT NULL"
                " AND key_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(key_ids)),),
            ).fetchall()
        )
        return dict(rows)

    async def save_last_used(self, last_used_us: Mapping[str, int]) -> None:
        """Keep when keys were last used; an older time never replaces a newer one."""
        rows = [(used_us, key_id, used_us) for key_id, used_us in last_used_us.items()]
        await self._writer.run(
            lambda connection: connection.executemany(
                "UPDATE api_keys SET last_used_us = ?"
                " WHERE key_id = ? AND coalesce(last_used_us, 0) < ?",
                rows,
            )
        )


class SqliteKeyAdministration:
    """Creates, replaces, revokes and lists keys, beside a running server or without one.

    Every method runs in one transaction; see KeyAdministration for what it promises.
    """

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def create_key(
        self,
        organization: str,
        role: Role,
        expires_us: int | None,
        tenant_id: str | None = None,
        label: str | None = None,
    ) -> NewKey:
        """Create a key, and the organization if there is none of that name."""

        def job(connection: sqlite3.Connection) -> NewKey:
            organization_id = organization_id_of(connection, organization)
            if organization_id is None:
                cursor = connection.execute(
                    "INSERT INTO organizations (name, created_us) VALUES (?, ?)",
                    (organization, self._clock()),
                )
                organization_id = cursor.lastrowid or 0
            key = self._insert(connection, organization_id, role, expires_us, tenant_id, label)
            details = {"role": role.value, "tenant": tenant_id}
            if label is not None:
                details["label"] = label
            self._note(connection, "key.create", key.key_id, **details)
            return key

        return self._database.write(job)

    def set_label(self, key_id: str, label: str | None) -> bool:
        """Give a key another label; False if there is no such key."""

        def job(connection: sqlite3.Connection) -> bool:
            if find_key(connection, key_id) is None:
                return False
            connection.execute("UPDATE api_keys SET label = ? WHERE key_id = ?", (label, key_id))
            self._note(connection, "key.label", key_id, label=label)
            return True

        return self._database.write(job)

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key from now on; False if there is none. A revoked key keeps its time."""

        def job(connection: sqlite3.Connection) -> bool:
            if find_key(connection, key_id) is None:
                return False
            self._revoke(connection, key_id)
            self._note(connection, "key.revoke", key_id)
            return True

        return self._database.write(job)

    def rotate_key(self, key_id: str) -> NewKey | None:
        """Replace a key by one that may do the same for as long; None if it is not active."""

        def job(connection: sqlite3.Connection) -> NewKey | None:
            now_us = self._clock()
            old = find_key(connection, key_id)
            if old is None or not old.is_active_at(now_us):
                return None
            created_us, label = connection.execute(
                "SELECT created_us, label FROM api_keys WHERE key_id = ?", (key_id,)
            ).fetchone()
            expires_us = rotated_expiry(created_us, old.expires_us, now_us)
            self._revoke(connection, key_id)
            key = self._insert(
                connection, old.organization_id, old.role, expires_us, old.tenant_id, label
            )
            self._note(connection, "key.rotate", key_id, new_key=key.key_id)
            return key

        return self._database.write(job)

    def organization_id(self, name: str) -> int | None:
        """Return the number of an organization, None if there is none of that name."""
        return self._database.read(lambda connection: organization_id_of(connection, name))

    def delete_organization(self, name: str) -> int | None:
        """Delete an organization with its keys; return its number, None if there is none."""

        def job(connection: sqlite3.Connection) -> int | None:
            organization_id = organization_id_of(connection, name)
            if organization_id is not None:
                mark_deleted(connection, organization_id, self._clock())
            return organization_id

        return self._database.write(job)

    def is_erased(self, organization_id: int) -> bool:
        """Whether nothing is left of what a deleted organization recorded."""
        return organization_id not in self._database.read(read_unerased)

    def list_keys(self) -> list[KeyInfo]:
        """Return every key, by organization and time of creation."""
        return self._database.read(
            lambda connection: key_infos(connection, " ORDER BY name, k.created_us, key_id", ())
        )

    def list_organizations(self) -> list[OrganizationInfo]:
        """Return every organization, by name."""
        rows = self._database.read(
            lambda connection: connection.execute(
                "SELECT o.name, o.created_us, count(k.key_id) FROM organizations o"
                " LEFT JOIN api_keys k ON k.organization_id = o.organization_id"
                " AND k.revoked_us IS NULL AND (k.expires_us IS NULL OR k.expires_us > ?)"
                " WHERE o.deleted_us IS NULL GROUP BY o.organization_id ORDER BY o.name",
                (self._clock(),),
            ).fetchall()
        )
        return [
            OrganizationInfo(name=name, created_us=created_us, active_keys=active_keys)
            for name, created_us, active_keys in rows
        ]

    def _insert(
        self,
        connection: sqlite3.Connection,
        organization_id: int,
        role: Role,
        expires_us: int | None,
        tenant_id: str | None,
        label: str | None,
    ) -> NewKey:
        key = new_key()
        connection.execute(
            "INSERT INTO api_keys"
            " (key_id, organization_id, role, secret_sha256, created_us, expires_us, tenant_id,"
            " label) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.key_id,
                organization_id,
                role.value,
                secret_digest(key.secret),
                self._clock(),
                expires_us,
                tenant_id,
                label,
            ),
        )
        return key

    def _note(
        self, connection: sqlite3.Connection, action: str, key_id: str, **details: str | None
    ) -> None:
        """Add what is done with a key to the audit."""
        (of,) = connection.execute(
            "SELECT organization_id FROM api_keys WHERE key_id = ?", (key_id,)
        ).fetchone()
        audit.append(
            connection, self._clock(), action, organization_id=of, target=key_id, details=details
        )

    def _revoke(self, connection: sqlite3.Connection, key_id: str) -> None:
        connection.execute(
            "UPDATE api_keys SET revoked_us = ? WHERE key_id = ? AND revoked_us IS NULL",
            (self._clock(), key_id),
        )


def mark_deleted(connection: sqlite3.Connection, organization_id: int, now_us: int) -> None:
    """Delete an organization with its keys, and note it; what it recorded is erased later."""
    audit.append(connection, now_us, "organization.delete", organization_id=organization_id)
    # No organization can be called so: the name is free.
    connection.execute(
        "UPDATE organizations SET name = ?, deleted_us = ? WHERE organization_id = ?",
        (f"\x00{organization_id}", now_us, organization_id),
    )
    for table in ("api_keys", "organization_limits", "sign_in_codes"):
        connection.execute(
            f"DELETE FROM {table} WHERE organization_id = ?",  # noqa: S608 - one of ours
            (organization_id,),
        )
