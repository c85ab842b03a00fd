"""The audit of callers and commands, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vumeter_server.access.audit import AuditEntry
from vumeter_server.runtime.actors import Actor
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.sqlite import Database, Writer, audit
from vumeter_server.sqlite.library import sqlite3


class SqliteAuditLog:
    """Implements AuditLog on a database's writer."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def append(
        self,
        actor: Actor,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add what somebody asks for."""
        await self._writer.run(
            lambda connection: audit.append(
                connection,
                self._clock(),
                action,
                actor=actor,
                organization_id=organization_id,
                target=target,
                details=details,
            )
        )


class SqliteAuditAdministration:
    """Implements AuditAdministration on a database file."""

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def entries(
        self,
        *,
        most: int,
        organization: str | None = None,
        action: str | None = None,
        since_us: int | None = None,
    ) -> list[AuditEntry]:
        """Return entries, the newest first."""
        return self._database.read(
            lambda connection: read_entries(
                connection, most=most, organization=organization, action=action, since_us=since_us
            )
        )

    def note(
        self,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry."""
        self._database.write(
            lambda connection: audit.append(
                connection,
                self._clock(),
                action,
                organization_id=organization_id,
                target=target,
                details=details,
            )
        )


def read_entries(
    connection: sqlite3.Connection,
    *,
    most: int,
    organization: str | None = None,
    action: str | None = None,
    since_us: int | None = None,
) -> list[AuditEntry]:
    """Return up to `most` entries, the newest first, of those that match all that is given.

    `action` may be the first word of actions: `key` for `key.create` and `key.revoke`.
    """
    rows = connection.execute(
        "SELECT entry_number, occurred_us, key_id, user, command, action, organization, target,"
        " details FROM audit_entries WHERE (?1 IS NULL OR organization = ?1)"
        " AND (?2 IS NULL OR action = ?2 OR substr(action, 1, length(?2) + 1) = ?2 || '.')"
        " AND (?3 IS NULL OR occurred_us >= ?3) ORDER BY entry_number DESC LIMIT ?4",
        (organization, action, since_us, most),
    ).fetchall()
    labels = dict(
        connection.execute(
            "SELECT key_id, label FROM api_keys WHERE label IS NOT NULL"
            " AND key_id IN (SELECT value FROM json_each(?))",
            (json.dumps([each for row in rows for each in (row[2], row[7]) if each]),),
        ).fetchall()
    )
    return [
        AuditEntry(
            number=number,
            occurred_us=occurred_us,
            actor=Actor(key_id=key_id, user=user, command=command),
            action=found,
            organization=of,
            target=target,
            details=json.loads(details),
            key_label=labels.get(key_id),
            target_label=labels.get(target) if found.startswith("key.") else None,
        )
        for number, occurred_us, key_id, user, command, found, of, target, details in rows
    ]
