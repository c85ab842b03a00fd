"""Organizations, keys and limits in ClickHouse, as commands change them beside running servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vumeter_server.access.clickhouse.audit import noted
from vumeter_server.access.clickhouse.organization import (
    Organization,
    Row,
    RowKind,
    created,
    key_created,
    key_labeled,
    limits_changed,
)
from vumeter_server.access.clickhouse.organizations import Organizations
from vumeter_server.access.clickhouse.store import key_infos
from vumeter_server.access.keys import NewKey, new_key, rotated_expiry
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyInfo, OrganizationInfo
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.runtime.actors import this_user
from vumeter_server.runtime.clock import Clock, system_clock


class ClickHouseKeyAdministration:
    """Creates, replaces, revokes and lists keys; see KeyAdministration for what it promises.

    Each change is one entry of the organization's log, with what the audit notes of it.
    """

    def __init__(self, database: BlockingClickHouse, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def create_key(
        self,
        organization: str,
        role: Role,
        expires_us: int | None,
        tenant_id: str | None = None,
        label: str | None = None,
    ) -> NewKey:
        """Create a key, and the organization if there is none of that name."""
        key, now_us = new_key(), self._clock()
        details = {"role": role.value, "tenant": tenant_id}
        if label is not None:
            details["label"] = label
        rows = [
            key_created(key, role, expires_us, tenant_id, label, now_us),
            self._note("key.create", key.key_id, **details),
        ]

        def change(found: Organization) -> Sequence[Row] | None:
            if found.is_deleted:
                return None
            return rows if found.exists else [created(organization, now_us), *rows]

        async def job(clickhouse: ClickHouse) -> None:
            organizations = Organizations(clickhouse)
            while True:
                found = await organizations.named_or_new(organization)
                # False if it was deleted in between: then the name is free again.
                if await organizations.change(found.organization_id, change):
                    return

        self._database.run(job)
        return key

    def set_label(self, key_id: str, label: str | None) -> bool:
        """Give a key another label; False if there is no such key."""
        rows = [
            key_labeled(key_id, label, self._clock()),
            self._note("key.label", key_id, label=label),
        ]
        return self._change_of_key(
            key_id, lambda organization: rows if key_id in organization.keys else None
        )

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key from now on; False if there is none. A revoked key keeps its time."""
        note = self._note("key.revoke", key_id)

        def change(organization: Organization) -> Sequence[Row] | None:
            if key_id not in organization.keys:
                return None
            return [*self._revoked(organization, key_id), note]

        return self._change_of_key(key_id, change)

    def rotate_key(self, key_id: str) -> NewKey | None:
        """Replace a key by one that may do the same for as long; None if it is not active."""
        key, now_us = new_key(), self._clock()
        note = self._note("key.rotate", key_id, new_key=key.key_id)

        def change(organization: Organization) -> Sequence[Row] | None:
            old = organization.keys.get(key_id)
            if old is None or not old.stored.is_active_at(now_us):
                return None
            expires_us = rotated_expiry(old.created_us, old.stored.expires_us, now_us)
            stored = old.stored
            replacing = key_created(
                key, stored.role, expires_us, stored.tenant_id, old.label, now_us
            )
            return [*self._revoked(organization, key_id), replacing, note]

        return key if self._change_of_key(key_id, change) else None

    def organization_id(self, name: str) -> int | None:
        """Return the number of an organization, None if there is none of that name."""
        found = self._database.run(lambda clickhouse: Organizations(clickhouse).named(name))
        return None if found is None else found.organization_id

    def delete_organization(self, name: str) -> int | None:
        """Delete an organization with its keys; return its number, None if there is none."""
        rows = [
            Row(kind=RowKind.DELETED, occurred_us=self._clock()),
            self._note("organization.delete", ""),
        ]
        return _change_of_name(
            self._database, name, lambda organization: rows if organization.exists else None
        )

    def is_erased(self, organization_id: int) -> bool:
        """Whether nothing is left of what a deleted organization recorded."""

        async def job(clickhouse: ClickHouse) -> bool:
            organization = await Organizations(clickhouse).read(organization_id)
            return organization.is_erased or not organization.is_deleted

        return self._database.run(job)

    def list_keys(self) -> list[KeyInfo]:
        """Return every key, by organization and time of creation."""

        async def job(clickhouse: ClickHouse) -> list[KeyInfo]:
            return [
                info
                for organization in await Organizations(clickhouse).all()
                for info in await key_infos(
                    clickhouse, organization, list(organization.keys.values())
                )
            ]

        listed = self._database.run(job)
        return sorted(listed, key=lambda info: (info.organization, info.created_us, info.key_id))

    def list_organizations(self) -> list[OrganizationInfo]:
        """Return every organization, by name."""
        now_us = self._clock()
        organizations = self._database.run(lambda clickhouse: Organizations(clickhouse).all())
        listed = [
            OrganizationInfo(
                name=organization.name,
                created_us=organization.created_us,
                active_keys=sum(
                    key.stored.is_active_at(now_us) for key in organization.keys.values()
                ),
            )
            for organization in organizations
            if organization.exists
        ]
        return sorted(listed, key=lambda info: info.name)

    def _change_of_key(
        self, key_id: str, change: Callable[[Organization], Sequence[Row] | None]
    ) -> bool:
        async def job(clickhouse: ClickHouse) -> bool:
            organizations = Organizations(clickhouse)
            found = await organizations.of_key(key_id)
            return found is not None and await organizations.change(found.organization_id, change)

        return self._database.run(job)

    def _revoked(self, organization: Organization, key_id: str) -> list[Row]:
        if organization.keys[key_id].stored.revoked_us is not None:
            return []
        return [Row(kind=RowKind.REVOKED, occurred_us=self._clock(), key_id=key_id)]

    def _note(self, action: str, target: str, **details: str | None) -> Row:
        return noted(this_user(), action, self._clock(), target=target, details=details)


class ClickHouseLimitAdministration:
    """Implements LimitAdministration."""

    def __init__(self, database: BlockingClickHouse, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def limits(self, organization: str) -> Mapping[str, int] | None:
        """Return the limits that an organization has of its own; None if there is none so named."""
        found = self._database.run(lambda clickhouse: Organizations(clickhouse).named(organization))
        return None if found is None else dict(found.limits)

    def change_limits(self, organization: str, changed: Mapping[str, int | None]) -> bool:
        """Change some limits, None for the default; False if there is no such organization."""
        now_us = self._clock()
        rows = [
            limits_changed(changed, now_us),
            noted(this_user(), "limits.set", now_us, details=changed),
        ]
        changes = _change_of_name(
            self._database, organization, lambda found: rows if found.exists else None
        )
        return changes is not None


def _change_of_name(
    database: BlockingClickHouse,
    name: str,
    change: Callable[[Organization], Sequence[Row] | None],
) -> int | None:
    """Change the organization of a name; return its number, None if nothing was changed."""

    async def job(clickhouse: ClickHouse) -> int | None:
        organizations = Organizations(clickhouse)
        found = await organizations.named(name)
        if found is None or not await organizations.change(found.organization_id, change):
            return None
        return found.organization_id

    return database.run(job)
