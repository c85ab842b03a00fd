"""The audit: who changed or took away what, for ever.

What callers change, delete and export is noted by the core (`AuditLog`) before it is done, what
retention drops by whatever carries it out, what commands do by them (`AuditAdministration`), and
what changes keys, limits and organizations by their stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vumeter_server.runtime.actors import Actor


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Something that was done.

    Attributes:
        number: counts up from 1, with gaps; None in a store that does not count.
        occurred_us: when, in microseconds since the epoch.
        actor: by whom.
        action: what, such as `key.create`.
        organization: whose thing it was done to; None for a thing that belongs to none.
        target: to which thing: a key, a metric, a tenant; "" where the organization says it.
        details: what else is worth knowing, in plain values; never a secret.
        key_label: the label that the actor's key has now, if it has one.
        target_label: the same of the target, if it is a key.
    """

    number: int | None
    occurred_us: int
    actor: Actor
    action: str
    organization: str | None
    target: str
    details: dict[str, Any]
    key_label: str | None
    target_label: str | None


class AuditLog(Protocol):
    """Keeps who changed or took away what, for ever; every store has one."""

    async def append(
        self,
        actor: Actor,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add what somebody asks for; of no organization if it is done to a thing that has none.

        It is on disk when this returns. Raises Unavailable when storage is busy, full or failing;
        then what was asked for must not be done.
        """


class AuditAdministration(Protocol):
    """What the commands ask of the audit, beside a running server or without one.

    Raises an error with one line for the operator when storage is busy, full or failing.
    """

    def entries(
        self,
        *,
        most: int,
        organization: str | None = None,
        action: str | None = None,
        since_us: int | None = None,
    ) -> Sequence[AuditEntry]:
        """Return up to `most` entries, the newest first, of those that match all that is given.

        `organization` is the name that it had then, also of one that is deleted. `action` may be
        the first word of actions: `key` for `key.create` and `key.revoke`.
        """

    def note(
        self,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add what the user of this process is about to do; it is on disk when this returns."""
