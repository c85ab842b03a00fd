"""A store of organizations and keys in memory: the contract in its plainest form."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import count

from tests.conformance.access.memory_audit import MemoryAudit

from vumeter_server.access.keys import NewKey, StoredKey, new_key, rotated_expiry, secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyInfo, OrganizationInfo
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.clock import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class _Organization:
    organization_id: int
    name: str
    created_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Key:
    stored: StoredKey
    organization: str
    created_us: int
    last_used_us: int | None = None
    label: str | None = None


class MemoryKeyStore:
    """All sides of the contract over the same dicts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._organizations: dict[str, _Organization] = {}
        self._keys: dict[str, _Key] = {}
        self._unerased: list[int] = []
        self._numbers = count(1)
        self._deleted_names: dict[int, str] = {}
        self._limits: dict[int, dict[str, int]] = {}
        self._is_unavailable = False
        self.audit = MemoryAudit(clock, self)

    def set_unavailable(self, is_unavailable: bool) -> None:
        """Let storage fail, or work again."""
        self._is_unavailable = is_unavailable

    async def find_key(self, key_id: str) -> StoredKey | None:
        """Return the key of that id."""
        key = self._keys.get(key_id)
        if key is None:
            return None
        return replace(key.stored, limits=self._limits.get(key.stored.organization_id, {}))

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        """Return keys of an organization, the one that was used last first."""
        infos = [
            info
            for info in self.list_keys()
            if self._keys[info.key_id].stored.organization_id == organization_id
        ]
        infos.sort(key=lambda info: (-(info.last_used_us or -1), -info.created_us, info.key_id))
        return infos[:most]

    def limits(self, organization: str) -> Mapping[str, int] | None:
        """Return an organization's own limits."""
        if organization not in self._organizations:
            return None
        return dict(self._limits.get(self._organizations[organization].organization_id, {}))

    def change_limits(self, organization: str, changed: Mapping[str, int | None]) -> bool:
        """Change an organization's own limits."""
        if organization not in self._organizations:
            return False
        own = self._limits.setdefault(self._organizations[organization].organization_id, {})
        for name, value in changed.items():
            own.pop(name, None)
            if value is not None:
                own[name] = value
        self.audit.add("limits.set", organization, details=changed)
        return True

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        """Return the key of that id as it is listed."""
        return next((each for each in self.list_keys() if each.key_id == key_id), None)

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        """Return the labels of those keys that have one."""
        found = {each.key_id: each.label for each in self.list_keys() if each.key_id in key_ids}
        return {key_id: label for key_id, label in found.items() if label is not None}

    async def save_last_used(self, last_used_us: Mapping[str, int]) -> None:
        """Save when keys were last used."""
        if self._is_unavailable:
            raise Unavailable
        for key_id, used_us in last_used_us.items():
            if (key := self._keys.get(key_id)) is not None:
                newest_us = max(used_us, key.last_used_us or 0)
                self._keys[key_id] = replace(key, last_used_us=newest_us)

    def create_key(
        self,
        organization: str,
        role: Role,
        expires_us: int | None,
        tenant_id: str | None = None,
        label: str | None = None,
    ) -> NewKey:
        """Create a key, and its organization."""
        key = self.add_key(organization, role, expires_us, tenant_id, label)
        details = {"role": role.value, "tenant": tenant_id} | ({"label": label} if label else {})
        self.audit.add("key.create", organization, target=key.key_id, details=details)
        return key

    def add_key(
        self,
        organization: str,
        role: Role,
        expires_us: int | None,
        tenant_id: str | None,
        label: str | None,
    ) -> NewKey:
        """Do so, and note nothing."""
        now_us = self._clock()
        found = self._organizations.get(organization)
        if found is None:
            found = self._organizations[organization] = _Organization(
                organization_id=next(self._numbers), name=organization, created_us=now_us
            )
        key = new_key()
        stored = StoredKey(
            key_id=key.key_id,
            organization_id=found.organization_id,
            role=role,
            secret_sha256=secret_digest(key.secret),
            expires_us=expires_us,
            revoked_us=None,
            tenant_id=tenant_id,
        )
        self._keys[key.key_id] = _Key(
            stored=stored, organization=organization, created_us=now_us, label=label
        )
        return key

    def set_label(self, key_id: str, label: str | None) -> bool:
        """Give a key another label."""
        key = self._keys.get(key_id)
        if key is not None:
            self._keys[key_id] = replace(key, label=label)
            self.audit.add("key.label", key.organization, target=key_id, details={"label": label})
        return key is not None

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key."""
        if not self._revoke(key_id):
            return False
        self.audit.add("key.revoke", self._keys[key_id].organization, target=key_id)
        return True

    def _revoke(self, key_id: str) -> bool:
        key = self._keys.get(key_id)
        if key is None:
            return False
        if key.stored.revoked_us is None:
            self._keys[key_id] = replace(key, stored=replace(key.stored, revoked_us=self._clock()))
        return True

    def rotate_key(self, key_id: str) -> NewKey | None:
        """Replace a key."""
        now_us = self._clock()
        key = self._keys.get(key_id)
        if key is None or not key.stored.is_active_at(now_us):
            return None
        self._revoke(key_id)
        expires_us = rotated_expiry(key.created_us, key.stored.expires_us, now_us)
        stored = key.stored
        new = self.add_key(key.organization, stored.role, expires_us, stored.tenant_id, key.label)
        self.audit.add(
            "key.rotate", key.organization, target=key_id, details={"new_key": new.key_id}
        )
        return new

    def drop_key(self, key_id: str) -> None:
        """Let the list lose a key."""
        del self._keys[key_id]

    def check_available(self) -> None:
        """Raise Unavailable while storage fails."""
        if self._is_unavailable:
            raise Unavailable

    def label_of(self, key_id: str | None) -> str | None:
        """Return the label that a key has now."""
        key = self._keys.get(key_id or "")
        return None if key is None else key.label

    def name_of(self, organization_id: int) -> str | None:
        """Return the name that an organization has, or had."""
        for each in self._organizations.values():
            if each.organization_id == organization_id:
                return each.name
        return self._deleted_names.get(organization_id)

    def organization_id(self, name: str) -> int | None:
        """Return the number of an organization."""
        found = self._organizations.get(name)
        return None if found is None else found.organization_id

    def delete_organization(self, name: str) -> int | None:
        """Delete an organization with its keys."""
        found = self._organizations.pop(name, None)
        if found is None:
            return None
        self._unerased.append(found.organization_id)
        self._deleted_names[found.organization_id] = name
        self.audit.add("organization.delete", name)
        self._limits.pop(found.organization_id, None)
        self._keys = {key_id: key for key_id, key in self._keys.items() if key.organization != name}
        return found.organization_id

    def is_erased(self, organization_id: int) -> bool:
        """Whether nothing is left of a deleted organization."""
        return organization_id not in self._unerased

    async def unerased(self) -> list[int]:
        """Return the deleted organizations of which something may be left."""
        return sorted(self._unerased)

    async def set_erased(self, organization_id: int) -> None:
        """Say that nothing is left of a deleted organization."""
        self._unerased.remove(organization_id)

    def list_keys(self) -> list[KeyInfo]:
        """Return every key."""
        return sorted(
            (
                KeyInfo(
                    key_id=key_id,
                    organization=key.organization,
                    role=key.stored.role,
                    created_us=key.created_us,
                    expires_us=key.stored.expires_us,
                    revoked_us=key.stored.revoked_us,
                    last_used_us=key.last_used_us,
                    tenant_id=key.stored.tenant_id,
                    label=key.label,
                )
                for key_id, key in self._keys.items()
            ),
            key=lambda info: (info.organization, info.created_us, info.key_id),
        )

    def list_organizations(self) -> list[OrganizationInfo]:
        """Return every organization."""
        now_us = self._clock()
        return [
            OrganizationInfo(
                name=name,
                created_us=organization.created_us,
                active_keys=sum(
                    key.organization == name and key.stored.is_active_at(now_us)
                    for key in self._keys.values()
                ),
            )
            for name, organization in sorted(self._organizations.items())
        ]
