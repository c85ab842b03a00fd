"""`vumeter tenants`: tenants of live metrics, deleted."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.deleting import (
    check_can_ask,
    counted,
    deletion_options,
    is_agreed,
)
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, tenant_id
from vumeter_server.live_metrics.store import TenantContents
from vumeter_server.runtime.logs import configure_command_logs


@click.group(cls=CommandGroup)
def tenants() -> None:
    """Tenants of live metrics."""


@tenants.command()
@db_option
@click.argument("tenant", metavar="TENANT", type=tenant_id)
@deletion_options
def delete(db: Path | None, tenant: str, dry_run: bool, yes: bool) -> int:
    """Delete a tenant: its calls, events, totals, history and limit, all of it or nothing.

    Events that a call server sends afterwards are recorded, as of a new tenant. Keys that are bound
    to the tenant stay: `vumeter keys revoke` revokes them.
    """
    check_can_ask(dry_run=dry_run, yes=yes)
    configure_command_logs()
    with opened_administration(db) as administration:
        contents = administration.tenants.contents(tenant)
        if contents is None:
            raise click.ClickException(f"there is no tenant {tenant}")
        if dry_run:
            click.echo(f"tenant {tenant} with {_in_words(contents)} would be deleted")
            return 0
        if not is_agreed(f"Delete tenant {tenant} with {_in_words(contents)}?", yes=yes):
            return 1
        details = {"calls": contents.calls, "events": contents.events}
        administration.audit.note("tenant.delete", target=tenant, details=details)
        contents = administration.tenants.delete(tenant)
    click.echo(f"tenant {tenant} with {_in_words(contents)} deleted")
    return 0


def _in_words(contents: TenantContents) -> str:
    return f"{counted(contents.calls, 'call')}, {counted(contents.events, 'event')}"
