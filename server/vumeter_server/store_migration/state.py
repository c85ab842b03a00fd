"""Whether a store is the target of a migration, and how far that is: entries of its audit."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from vumeter_server.access.migration_store import AccessMigrationStore, CopiedAuditEntry
from vumeter_server.runtime.actors import this_user
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.start_error import StartError


class MigrationAction(StrEnum):
    """What the audit of the target says; the target of the entry is the source."""

    BEGIN = "migration.begin"
    FINISH = "migration.finish"


async def note(
    store: AccessMigrationStore, action: MigrationAction, source: str, clock: Clock
) -> None:
    """Add to the audit of a store that a migration from a source begins or is finished."""
    user = this_user()
    entry = CopiedAuditEntry(
        occurred_us=clock(),
        key_id=None,
        user=user.user,
        command=user.command,
        action=action.value,
        organization=None,
        target=source,
        details=msgspec.json.encode({}).decode(),
    )
    await store.add_audit_entries([entry])


async def last_migration(store: AccessMigrationStore) -> CopiedAuditEntry | None:
    """Return the last thing that the audit says of a migration into a store."""
    actions = {each.value for each in MigrationAction}
    found = [each for each in await store.audit_entries() if each.action in actions]
    return found[-1] if found else None


async def check_target(store: AccessMigrationStore, source: str, *, name: str) -> bool:
    """Return whether a migration from a source goes on, False for a new one.

    Raises StartError if the target is not empty, or holds something else.
    """
    last = await last_migration(store)
    if last is not None and last.target != source:
        raise StartError(f"{name} holds a migration from {last.target}: choose another target")
    if last is not None and last.action == MigrationAction.FINISH:
        raise StartError(
            f"{name} holds the finished migration from {source}: start its servers, or compare"
            " with --verify-only"
        )
    if last is None and await store.organizations():
        raise StartError(f"{name} is not empty: choose another target")
    return last is not None


def check_may_serve(last: CopiedAuditEntry | None) -> None:
    """Raise StartError if a migration into this store is not finished.

    What its servers recorded would be taken for what the source has no more.
    """
    if last is not None and last.action == MigrationAction.BEGIN:
        raise StartError(
            f"the store holds an unfinished migration from {last.target}: finish it with"
            " `vumeter migrate --finish` before anything serves it"
        )
