"""Organizations with their keys and limits, and the audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vumeter_server.access.migration_store import CopiedAuditEntry, CopiedOrganization
from vumeter_server.store_migration.differences import Difference
from vumeter_server.store_migration.stores import MigrationStores

OWN_ACTIONS = "migration."
"""Begins the actions of a migration itself: they say what a store is, and stay where they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessMigration:
    """Copies organizations and the audit."""

    source: MigrationStores
    target: MigrationStores

    async def organizations(self, fix: bool) -> Sequence[Difference]:
        """Compare organizations, and mend them with `fix`."""
        ours = {each.name: each for each in await self.source.access.organizations()}
        theirs = {each.name: each for each in await self.target.access.organizations()}
        found = []
        for name, target in theirs.items():
            if _is_the_same(ours.get(name), target, or_has_more_keys=not fix):
                continue
            # It was deleted; its name may be that of another by now. Or it has keys too many, which
            # cannot be taken from it: it is copied again.
            found.append(_difference(name, "the organization is not in the source"))
            if fix:
                await self.target.access.delete_organization(target.organization_id)
        gone = {each.organization for each in found}
        for name, source in ours.items():
            target_of = None if name in gone else theirs.get(name)
            problems = _problems(source, target_of)
            if fix and (problems or _uses(source, target_of)):
                await self.target.access.put_organization(source)
            found += problems
        return found

    async def audit(self, fix: bool) -> Sequence[Difference]:
        """Compare the audit, and with `fix` add what the target lacks; it may have more."""
        ours = [
            each
            for each in await self.source.access.audit_entries()
            if not each.action.startswith(OWN_ACTIONS)
        ]
        left: Counter[CopiedAuditEntry] = Counter(await self.target.access.audit_entries())
        missing = []
        for entry in ours:
            if left[entry]:
                left[entry] -= 1
            else:
                missing.append(entry)
        if not missing:
            return ()
        if fix:
            await self.target.access.add_audit_entries(missing)
        return [_difference(None, f"audit entries that the target has not: {len(missing):,}")]


def _is_the_same(
    source: CopiedOrganization | None, target: CopiedOrganization, *, or_has_more_keys: bool
) -> bool:
    return (
        source is not None
        and source.created_us == target.created_us
        and (or_has_more_keys or target.keys.keys() <= source.keys.keys())
    )


def _problems(source: CopiedOrganization, target: CopiedOrganization | None) -> list[Difference]:
    if target is None:
        return [_difference(source.name, "the organization is not in the target")]
    found = []
    for key_id, key in source.keys.items():
        known = target.keys.get(key_id)
        if known is None:
            found.append(_difference(source.name, f"key {key_id} is not in the target"))
        elif known.unused() != key.unused():
            found.append(_difference(source.name, f"key {key_id} is another in the target"))
    found += [
        _difference(source.name, f"key {key_id} is not in the source")
        for key_id in target.keys.keys() - source.keys.keys()
    ]
    if source.limits != target.limits:
        found.append(_difference(source.name, "its limits are others in the target"))
    return found


def _uses(source: CopiedOrganization, target: CopiedOrganization | None) -> bool:
    """Whether a key was used later than the target knows; that alone is no difference."""
    known = {} if target is None else target.keys
    return any(
        (key.last_used_us or 0) > (known[key_id].last_used_us or 0)
        for key_id, key in source.keys.items()
        if key_id in known
    )


def _difference(organization: str | None, what: str) -> Difference:
    return Difference(organization=organization, what=what)
