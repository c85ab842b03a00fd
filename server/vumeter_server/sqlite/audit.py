"""The audit: who changed or took away what, in the table `audit_entries`, which only grows.

An entry is written in the transaction of the change, or in one before it where the change takes
many: then it says that the change was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vumeter_server.runtime.actors import Actor, this_user
from vumeter_server.sqlite.library import sqlite3


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
