"""`vumeter audit`: who changed or took away what."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from vumeter_server.access.audit import AuditEntry
from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.options import db_option, duration, organization_name
from vumeter_server.commands.printing import Row, format_option, print_rows, time_text
from vumeter_server.runtime.actors import Actor
from vumeter_server.runtime.clock import system_clock

COLUMNS: Final = ("time", "who", "action", "organization", "target", "details")
MAX_ENTRIES: Final = 100_000


@click.group()
def audit() -> None:
    """Who changed or took away what: keys, limits, deletions, exports, retention.

    Entries are never changed and never dropped.
    """


@audit.command("list")
@db_option
@click.option(
    "--organization", type=organization_name, metavar="NAME", help="Only what was done to this one."
)
@click.option(
    "--action", metavar="ACTION", help="Only this, such as key.create, or key for all about keys."
)
@click.option(
    "--since", type=duration, metavar="DURATION", help="Only of the last 7d, say. [default: all]"
)
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_ENTRIES),
    default=100,
    show_default=True,
    help="How many at most.",
)
@format_option
def list_entries(
    db: Path | None,
    organization: str | None,
    action: str | None,
    since: int | None,
    limit: int,
    output_format: str,
) -> None:
    """List entries, the newest first.

    `who` is the id of a key with its label, the user of a command, or the server itself; JSON has
    the command too. What takes long is noted when it is asked for.
    """
    with opened_administration(db) as administration:
        found = administration.audit.entries(
            most=limit,
            organization=organization,
            action=action,
            since_us=None if since is None else system_clock() - since,
        )
    rows = [_row(each) if output_format == "json" else _text_row(each) for each in found]
    print_rows(rows, COLUMNS, output_format)


def _row(entry: AuditEntry) -> Row:
    return {
        "number": entry.number,
        "time": time_text(entry.occurred_us),
        "key_id": entry.actor.key_id,
        "key_label": entry.key_label,
        "user": entry.actor.user,
        "command": entry.actor.command,
        "action": entry.action,
        "organization": entry.organization,
        "target": entry.target or None,
        "target_label": entry.target_label,
        "details": entry.details,
    }


def _text_row(entry: AuditEntry) -> Row:
    details = " ".join(f"{name}={_word(value)}" for name, value in entry.details.items())
    return {
        "time": time_text(entry.occurred_us),
        "who": _labeled(_who(entry.actor), entry.key_label),
        "action": entry.action,
        "organization": entry.organization,
        "target": _labeled(entry.target, entry.target_label) or None,
        "details": details or None,
    }


def _who(actor: Actor) -> str:
    if actor.key_id is not None:
        return actor.key_id
    return "server" if actor.user is None else actor.user


def _labeled(name: str, label: str | None) -> str:
    return name if label is None else f"{name} ({label})"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "-" if value is None else str(value)
