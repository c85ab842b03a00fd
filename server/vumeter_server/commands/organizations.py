"""`vumeter organizations`: who has keys here, listed and deleted."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.commands.administration import known_organization, opened_administration
from vumeter_server.commands.deleting import check_can_ask, deletion_options, is_agreed
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.commands.printing import format_option, print_rows, time_text
from vumeter_server.runtime.logs import configure_command_logs


@click.group(cls=CommandGroup)
def organizations() -> None:
    """Organizations: the owners of keys, custom metrics and simulations."""


@organizations.command("list")
@db_option
@format_option
def list_organizations(db: Path | None, output_format: str) -> None:
    """List organizations by name, with the number of their active keys."""
    with opened_administration(db) as administration:
        found = administration.keys.list_organizations()
    rows = [
        {
            "name": each.name,
            "created_at": time_text(each.created_us),
            "good_keys": each.active_keys,
        }
        for each in found
    ]
    print_rows(rows, ("name", "created_at", "good_keys"), output_format)


@organizations.command()
@db_option
@click.argument("name", type=organization_name)
@deletion_options
def delete(db: Path | None, name: str, dry_run: bool, yes: bool) -> int:
    """Delete an organization with its keys and everything that it recorded.

    Its keys are rejected within a second. A running server goes on recording for others. Live
    metrics belong to tenants: `vumeter tenants delete` deletes those.
    """
    check_can_ask(dry_run=dry_run, yes=yes)
    configure_command_logs()
    with opened_administration(db) as administration:
        deletion = administration.organizations
        contents = deletion.count(name, known_organization(administration, name))
        if dry_run:
            click.echo(f"{name} with {contents} would be deleted")
            return 0
        if not is_agreed(f"Delete {name} with {contents}?", yes=yes):
            return 1
        if not deletion.delete(name):
            raise click.ClickException(f"there is no organization {name}")
    click.echo(f"{name} with {contents} deleted")
    return 0
