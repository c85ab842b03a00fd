"""The audit as the core knows it: what callers with a key delete and export is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from vumeter_server.access.authenticator import Caller


class AuditLog(Protocol):
    """Keeps who changed or took away what, for ever; every store has one."""

    async def append(self, caller: Caller, action: str, details: Mapping[str, Any]) -> None:
        """Add that a caller asks for something in his organization.

        It is on disk when this returns. Raises Unavailable when storage is busy, full or failing;
        then what was asked for must not be done.
        """
