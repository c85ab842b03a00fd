"""The audit in ClickHouse.

What changes an organization is noted in the entry that changes it, so that neither is there without
the other. What callers ask for has a table of its own, and so has what commands and retention do.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa

from vumeter_server.access.audit import AuditEntry
from vumeter_server.access.clickhouse.organization import Row, RowKind
from vumeter_server.access.clickhouse.organizations import Organizations
from vumeter_server.clickhouse import ClickHouse, Parameter
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.layout import RECORDED_US
from vumeter_server.runtime.actors import Actor, this_user
from vumeter_server.runtime.clock import Clock, system_clock

NOBODYS: Final = 0
"""The number under which entries stand that belong to no organization, or to one that is gone."""


def noted(
    actor: Actor, action: str, now_us: int, *, target: str = "", details: Mapping[str, Any]
) -> Row:
    """Return that somebody did something, as a row of the entry that does it."""
    content = _content(actor, action, target, details)
    return Row(kind=RowKind.AUDIT, occurred_us=now_us, content=content)


class ClickHouseAuditLog:
    """Implements AuditLog."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock

    async def append(
        self,
        actor: Actor,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add what somebody asks for."""
        content = _content(actor, action, target, details or {})
        await _insert(self._clickhouse, organization_id or NOBODYS, self._clock(), content)


class ClickHouseAuditAdministration:
    """Implements AuditAdministration."""

    def __init__(self, database: BlockingClickHouse, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def entries(
        self,
        *,
        most: int,
        organization: str | None = None,
        action: str | None = None,
        since_us: int | None = None,
    ) -> list[AuditEntry]:
        """Return entries, the newest first."""
        conditions, values = ["1"], dict[str, Parameter](most=most)
        if since_us is not None:
            conditions.append("occurred_us >= {since:Int64}")
            values["since"] = since_us
        if action is not None:
            conditions.append("(action = {action:String} OR startsWith(action, {area:String}))")
            values |= {"action": action, "area": f"{action}."}

        async def job(clickhouse: ClickHouse) -> list[AuditEntry]:
            organizations = await Organizations(clickhouse).all()
            names = {each.organization_id: each.name for each in organizations}
            labels = {key: held.label for each in organizations for key, held in each.keys.items()}
            if organization is not None:
                conditions.append(_IS_OF_ORGANIZATION)
                numbers = [number for number, name in names.items() if name == organization]
                values.update(organization=organization, numbers=numbers)
            rows = await _read(clickhouse, " AND ".join(conditions), values)
            return [_entry(row, names, labels) for row in rows]

        return self._database.run(job)

    def note(
        self,
        action: str,
        *,
        organization_id: int | None = None,
        target: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry."""
        content = _content(this_user(), action, target, details or {})
        of, now_us = organization_id or NOBODYS, self._clock()
        self._database.run(lambda clickhouse: _insert(clickhouse, of, now_us, content))


# What was copied from another store has the name of its organization, or null.
_IS_OF_ORGANIZATION: Final = (
    "if(JSONHas(content, 'organization'),"
    " JSONExtractString(content, 'organization') = {organization:String},"
    " organization IN {numbers:Array(Int64)})"
)


async def _read(
    clickhouse: ClickHouse, condition: str, values: Mapping[str, Parameter]
) -> list[dict[str, Any]]:
    """Return the newest rows, of both tables."""
    columns = f"organization, occurred_us, content, {RECORDED_US} AS recorded"
    both = " UNION ALL ".join(
        f"SELECT {columns} FROM {clickhouse.layout.reads(table)} WHERE {of_kind}"
        for table, of_kind in (
            ("organization_entries", f"kind = '{RowKind.AUDIT.value}'"),
            ("audit_entries", "1"),
        )
    )
    found = await clickhouse.query(
        "SELECT *, JSONExtractString(content, 'action') AS action"
        f" FROM ({both}) WHERE {condition}"
        " ORDER BY occurred_us DESC, recorded DESC, content DESC LIMIT {most:Int64}",
        values,
    )
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def _entry(
    row: Mapping[str, Any], names: Mapping[int, str], labels: Mapping[str, str | None]
) -> AuditEntry:
    content = msgspec.json.decode(row["content"])
    is_about_key = content["action"].startswith("key.")
    return AuditEntry(
        number=None,
        occurred_us=row["occurred_us"],
        actor=Actor(key_id=content["key_id"], user=content["user"], command=content["command"]),
        action=content["action"],
        organization=content.get("organization", names.get(row["organization"])),
        target=content["target"],
        details=content["details"],
        key_label=labels.get(content["key_id"]),
        target_label=labels.get(content["target"]) if is_about_key else None,
    )


async def _insert(
    clickhouse: ClickHouse, organization_id: int, now_us: int, content: bytes
) -> None:
    row = {
        "organization": pa.array([organization_id], pa.int64()),
        "occurred_us": pa.array([now_us], pa.int64()),
        "content": [content.decode()],
    }
    await clickhouse.insert(
        clickhouse.layout.writes("audit_entries"), pa.table(row), token=secrets.token_hex(16)
    )


def _content(actor: Actor, action: str, target: str, details: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(
        {
            "key_id": actor.key_id,
            "user": actor.user,
            "command": actor.command,
            "action": action,
            "target": target,
            "details": details,
        }
    )
