"""The audit: who changed or took away what, in the table `audit_entries`, which only grows.

An entry is written in the transaction of the change, or in one before it where the change takes
many: then it says that the change was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vumeter_server.runtime.actors import Actor, this_user
from vumeter_server.sqlite.library import sqlite3


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Something that was done.

    Attributes:
        number: counts up from 1, with gaps.
        occurred_us: when, in microseconds since the epoch.
        actor: by whom.
        action: what, such as `key.create`.
        organization: whose thing it was done to; None for a thing that belongs to none.
        target: to which thing: a key, a metric, a tenant; "" where the organization says it.
        details: what else is worth knowing, in plain values; never a secret.
        key_label: the label that the actor's key has now, if it has one.
        target_label: the same of the target, if it is a key.
    """

    number: int
    occurred_us: int
    actor: Actor
    action: str
    organization: str | None
    target: str
    details: dict[str, Any]
    key_label: str | None
    target_label: str | None


def append(
    connection: sqlite3.Connection,
    now_us: int,
    action: str,
    *,
    actor: Actor | None = None,
    organization_id: int | None = None,
    target: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction; by the user of this process, if no actor is given."""
    who = actor or this_user()
    connection.execute(
        "INSERT INTO audit_entries"
        " (occurred_us, key_id, user, command, action, organization, target, details)"
        " VALUES (?, ?, ?, ?, ?,"
        " (SELECT name FROM organizations WHERE organization_id = ?), ?, ?)",
        (
            now_us,
            who.key_id,
            who.user,
            who.command,
            action,
            organization_id,
            target,
            json.dumps(dict(details or {}), ensure_ascii=False),
        ),
    )


def read(
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
