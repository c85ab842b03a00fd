"""`vumeter organizations`: who has keys here."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.commands.database import opened
from vumeter_server.commands.options import db_option
from vumeter_server.commands.printing import format_option, print_rows, time_text


@click.group()
def organizations() -> None:
    """Organizations: the owners of keys, custom metrics and simulations."""


@organizations.command("list")
@db_option
@format_option
def list_organizations(db: Path | None, output_format: str) -> None:
    """List organizations by name, with the number of their active keys."""
    with opened(db) as database:
        found = SqliteKeyAdministration(database).list_organizations()
    rows = [
        {
            "name": each.name,
            "created_at": time_text(each.created_us),
            "good_keys": each.active_keys,
        }
        for each in found
    ]
    print_rows(rows, ("name", "created_at", "good_keys"), output_format)
