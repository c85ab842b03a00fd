"""The audit in ClickHouse.

What changes an organization is noted in the entry that changes it, so that neither is there without
the other. What callers with a key ask for has a table of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from vumeter_server.access.authenticator import Caller
from vumeter_server.access.clickhouse.organization import Row, RowKind
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.runtime.actors import Actor
from vumeter_server.runtime.clock import Clock


def noted(
    actor: Actor, action: str, now_us: int, *, target: str = "", details: Mapping[str, Any]
) -> Row:
    """Return that somebody did something, as a row of the entry that does it."""
    content = _content(actor, action, target, details)
    return Row(kind=RowKind.AUDIT, occurred_us=now_us, content=content)


class ClickHouseAuditLog:
    """Implements AuditLog."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock

    async def append(self, caller: Caller, action: str, details: Mapping[str, Any]) -> None:
        """Add that a caller asks for something in his organization."""
        content = _content(Actor(key_id=caller.key_id), action, "", details)
        row = {
            "organization": pa.array([caller.organization_id], pa.int64()),
            "occurred_us": pa.array([self._clock()], pa.int64()),
            "content": [content.decode()],
        }
        await self._clickhouse.insert(
            self._clickhouse.layout.writes("audit_entries"),
            pa.table(row),
            token=secrets.token_hex(16),
        )


def _content(actor: Actor, action: str, target: str, details: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(
        {
            "key_id": actor.key_id,
            "user": actor.user,
            "command": actor.command,
            "action": action,
            "target": target,
            "details": details,
        }
    )
