"""What access control asks of storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vumeter_server.access.keys import NewKey, Role, StoredKey


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyInfo:
    """A key as it is listed; times in microseconds since the epoch."""

    key_id: str
    organization: str
    role: Role
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationInfo:
    """An organization as it is listed."""

    name: str
    created_us: int
    good_keys: int


class KeyLookup(Protocol):
    """What checking a credential asks of storage."""

    async def find_key(self, key_id: str) -> StoredKey | None:
        """Return the key of that id."""

    async def save_last_used(self, last_used_us: Mapping[str, int]) -> None:
        """Keep when keys were last used."""


class KeyAdministration(Protocol):
    """What the commands ask of storage."""

    def create_key(self, organization: str, role: Role, expires_us: int | None) -> NewKey:
        """Make a key, and the organization if there is none of that name."""

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key from now on; False if there is none."""

    def rotate_key(self, key_id: str) -> NewKey | None:
        """Replace a key by one of the same organization, role and lifetime; None if not good."""

    def list_keys(self) -> list[KeyInfo]:
        """Return every key, by organization and time of making."""

    def list_organizations(self) -> list[OrganizationInfo]:
        """Return every organization, by name."""
