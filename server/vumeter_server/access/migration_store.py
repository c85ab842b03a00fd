"""The contract of a store with `vumeter migrate`, which copies organizations and the audit.

Numbers of organizations differ between stores: what belongs together goes by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from vumeter_server.access.roles import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedKey:
    """A key with all that is stored of it; times in microseconds since the epoch."""

    key_id: str
    role: Role
    secret_sha256: bytes
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None
    last_used_us: int | None = None
    tenant_id: str | None = None
    label: str | None = None

    def unused(self) -> CopiedKey:
        """Return it without when it was used last, which changes with every use."""
        return replace(self, last_used_us=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedOrganization:
    """An organization with its keys by id, and the limits that it has of its own."""

    organization_id: int
    name: str
    created_us: int
    keys: Mapping[str, CopiedKey] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedAuditEntry:
    """An entry of the audit; `details` is JSON with sorted keys."""

    occurred_us: int
    key_id: str | None
    user: str | None
    command: str | None
    action: str
    organization: str | None
    target: str
    details: str


class AccessMigrationStore(Protocol):
    """What a migration asks of a store of organizations, keys and the audit.

    Each method is atomic and durable when it returns, and raises Unavailable when storage is busy,
    full or failing. A running server honors what is written within a second.
    """

    async def organizations(self) -> Sequence[CopiedOrganization]:
        """Return every organization that exists, by name in code point order, with all keys."""

    async def put_organization(self, organization: CopiedOrganization) -> int:
        """Make the organization of that name what is given, and return its number here.

        It is created if there is none of that name. Keys that are not given stay as they are. The
        number that is given is that in the other store, and is not looked at. Nothing is noted in
        the audit. A time of last use never replaces a later one.
        """

    async def delete_organization(self, organization_id: int) -> None:
        """Delete an organization, as `KeyAdministration.delete_organization` does.

        One that is deleted stays so, and nothing more is noted.
        """

    async def audit_entries(self) -> Sequence[CopiedAuditEntry]:
        """Return every entry of the audit, in the order of time."""

    async def add_audit_entries(self, entries: Sequence[CopiedAuditEntry]) -> None:
        """Add entries as they are given, in their order.

        Entries of one organization, and those of none, are added together or not at all.
        """
