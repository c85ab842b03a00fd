"""What callers asked for, in a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vumeter_server.access.authenticator import Caller


class MemoryAuditLog:
    """Implements AuditLog in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, str, str, dict[str, Any]]] = []

    async def append(self, caller: Caller, action: str, details: Mapping[str, Any]) -> None:
        self.entries.append((caller.organization_id, caller.key_id, action, dict(details)))
