"""The audit in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from vumeter_server.access.audit import AuditEntry
from vumeter_server.runtime.actors import Actor, this_user
from vumeter_server.runtime.clock import Clock


class MemoryAuditLog:
    """Implements AuditLog in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[Actor, str, int | None, str, dict[str, Any]]] = []

    async def append(
        self,
        actor: Actor,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.entries.append((actor, action, organization_id, target, dict(details or {})))


class _Names(Protocol):
    def name_of(self, organization_id: int) -> str | None: ...

    def label_of(self, key_id: str | None) -> str | None: ...

    def check_available(self) -> None: ...


class MemoryAudit:
    """Implements AuditLog and AuditAdministration in memory."""

    def __init__(self, clock: Clock, store: _Names) -> None:
        self._clock = clock
        self._store = store
        self._entries: list[AuditEntry] = []

    def add(
        self,
        action: str,
        organization: str | None,
        *,
        actor: Actor | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry."""
        self._entries.append(
            AuditEntry(
                number=len(self._entries) + 1,
                occurred_us=self._clock(),
                actor=actor or this_user(),
                action=action,
                organization=organization,
                target=target,
                details=dict(details or {}),
                key_label=None,
                target_label=None,
            )
        )

    async def append(
        self,
        actor: Actor,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self._store.check_available()
        of = None if organization_id is None else self._store.name_of(organization_id)
        self.add(action, of, actor=actor, target=target, details=details)

    def note(
        self,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        of = None if organization_id is None else self._store.name_of(organization_id)
        self.add(action, of, target=target, details=details)

    def entries(
        self,
        *,
        most: int,
        organization: str | None = None,
        action: str | None = None,
        since_us: int | None = None,
    ) -> list[AuditEntry]:
        found = [
            replace(
                each,
                key_label=self._store.label_of(each.actor.key_id),
                target_label=self._store.label_of(each.target)
                if each.action.startswith("key.")
                else None,
            )
            for each in reversed(self._entries)
            if organization in (None, each.organization)
            and (action is None or each.action == action or each.action.startswith(f"{action}."))
            and (since_us is None or each.occurred_us >= since_us)
        ]
        return found[:most]
