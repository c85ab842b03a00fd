"""The contract of a store of organizations and keys: what every implementation promises.

It has two sides. A running server looks keys up (`KeyLookup`), in every one of its processes; the
commands administer organizations and keys (`KeyAdministration`), in a process of their own, beside
a running server or without one. Both see the same data.

A conformance suite holds every store to these words (`tests/conformance/access`).

A store never sees a secret: it keeps `keys.secret_digest` of it. Whether a secret matches is
decided above the store, in constant time (`keys.secret_matches`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from vumeter_server.access.keys import NewKey, StoredKey
from vumeter_server.access.roles import Role
from vumeter_server.access.sign_in import SignInKey


class KeyState(StrEnum):
    """Whether a key is honored."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"


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
    tenant_id: str | None = None
    label: str | None = None

    def state_at(self, now_us: int) -> KeyState:
        """Return whether the key is active, or why it is not."""
        if self.revoked_us is not None:
            return KeyState.REVOKED
        if self.expires_us is not None and self.expires_us <= now_us:
            return KeyState.EXPIRED
        return KeyState.GOOD


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationInfo:
    """An organization as it is listed: when it was created, and how many keys are active now."""

    name: str
    created_us: int
    active_keys: int


class KeyLookup(Protocol):
    """What checking a credential asks of storage.

    Raises Unavailable when the storage is busy, full or failing.
    """

    async def find_key(self, key_id: str) -> StoredKey | None:
        """Return the key of that id, None if there is none.

        Revoked and expired keys are returned too; the caller decides by `is_active_at`. What an
        administration has done when its method returns, in any process, is in the next answer: the
        half second for which the authenticator caches answers is all that delays a change.
        """

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        """Return the key of that id as it is listed, None if there is none."""

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        """Return up to `most` keys of an organization, whatever their state.

        The one that was used last comes first, those that were never used come last; of those the
        youngest first, then by id.
        """

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        """Return the labels of those keys that exist and have one, by key id."""

    async def save_last_used(self, last_used_us: Mapping[str, int]) -> None:
        """Save when keys were last used: microseconds since the epoch by key id.

        An older time never replaces a newer one, so that several processes may save in any order.
        Unknown ids are ignored. All times are saved, or, if it raises, none.
        """


class SignInCodes(Protocol):
    """What signing in by a link asks of storage.

    Raises Unavailable when the storage is busy, full or failing; then the code stays good.
    """

    async def redeem(self, code_sha256: bytes) -> Sequence[SignInKey]:
        """Use a code up, and create its keys; nothing if it is not known, used or has expired.

        Of several calls at the same time, in any process, one gets keys. The key of the
        organization (`admin`) comes first.
        """


class SignInAdministration(Protocol):
    """What the commands that print links ask of storage, as KeyAdministration."""

    def create_code(self, organization: str, *, for_live: bool) -> str | None:
        """Create a code, good for `sign_in.CODE_FOR_US`; None if there is no such organization.

        It is exchanged once for a key of the organization, and with `for_live` for one that
        reads the live metrics of all tenants. Only its hash is kept.
        """


class DeletedOrganizations(Protocol):
    """What is left to do of the organizations that were deleted."""

    async def unerased(self) -> list[int]:
        """Return the numbers of deleted organizations of which something may be left, in order."""

    async def set_erased(self, organization_id: int) -> None:
        """Say that nothing is left of what a deleted organization recorded."""


class OrganizationData(Protocol):
    """A store that keeps what organizations record."""

    async def forget_organization(self, organization_id: int) -> None:
        """Erase everything that was recorded for an organization."""


class LimitAdministration(Protocol):
    """What the command for limits asks of storage, as KeyAdministration.

    A limit goes by its name in `runtime.limits.Limits`. What is changed here is in the next answer
    of `find_key`.
    """

    def limits(self, organization: str) -> Mapping[str, int] | None:
        """Return the limits that an organization has of its own; None if there is none so named."""

    def change_limits(self, organization: str, changed: Mapping[str, int | None]) -> bool:
        """Change some limits, None for the default; False if there is no such organization.

        The others stay. All are changed, or none.
        """


class KeyAdministration(Protocol):
    """What the commands ask of storage.

    Each method is atomic and durable when it returns. Methods of several processes may run at the
    same time. Times are read from the clock that the implementation was given.
    """

    def create_key(
        self,
        organization: str,
        role: Role,
        expires_us: int | None,
        tenant_id: str | None = None,
        label: str | None = None,
    ) -> NewKey:
        """Create a key, and the organization if there is none of that name.

        An organization exists from its first key on, until it is deleted; there is no other way to
        create one. Its name was checked by `organizations.is_organization_name`. Names are compared
        character by character, with no folding of case. `expires_us` is a time, None for a key that
        does not expire. `tenant_id` binds the key to a tenant, which need not be known; only a role
        of `LIVE_ROLES` takes one. `label` was checked by `keys.is_key_label`; several keys may have
        the same.
        """

    def set_label(self, key_id: str, label: str | None) -> bool:
        """Give a key another label, None for none; False if there is no such key.

        Also a key that is not active gets it: the label says whose requests those of the past were.
        """

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key from now on; False if there is none.

        A key that is revoked already keeps the time at which it was, and True is returned.
        """

    def rotate_key(self, key_id: str) -> NewKey | None:
        """Replace a key: create one of the same organization, role, tenant, label and lifetime.

        The old one is revoked; both happen or none. The lifetime starts again now
        (`keys.rotated_expiry`). If there is no active key of that id, nothing changes and None is
        returned.
        """

    def organization_id(self, name: str) -> int | None:
        """Return the number of an organization, None if there is none of that name."""

    def delete_organization(self, name: str) -> int | None:
        """Delete an organization with its keys; return its number, None if there is none.

        From then on no key of it is found, no list shows it, and nothing is recorded for it, also
        of what is under way. Its name is free, for another organization that has nothing of it. Its
        number is never given again. What it recorded is erased later, by way of
        DeletedOrganizations.
        """

    def is_erased(self, organization_id: int) -> bool:
        """Whether nothing is left of what a deleted organization recorded."""

    def list_keys(self) -> list[KeyInfo]:
        """Return every key, also those that are not active.

        They are ordered by name of the organization in code point order, time of creation, and id.
        """

    def list_organizations(self) -> list[OrganizationInfo]:
        """Return every organization, also those without an active key, by name in code point order.

        A key is active if it is neither revoked nor expired now.
        """
