"""The audit of what callers ask for, in SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vumeter_server.access.authenticator import Caller
from vumeter_server.runtime.actors import Actor
from vumeter_server.runtime.clock import Clock
from vumeter_server.sqlite import Writer, audit


class SqliteAuditLog:
    """Implements AuditLog on a database's writer."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def append(self, caller: Caller, action: str, details: Mapping[str, Any]) -> None:
        """Add that a caller asks for something in his organization."""
        await self._writer.run(
            lambda connection: audit.append(
                connection,
                self._clock(),
                action,
                actor=Actor(key_id=caller.key_id),
                organization_id=caller.organization_id,
                details=details,
            )
        )
