"""`vumeter metrics`: custom metrics listed and deleted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.commands.printing import format_option, print_rows

organization_option = click.option(
    "--organization", type=organization_name, metavar="NAME", required=True, help="Whose metrics."
)


@click.group(cls=CommandGroup)
def metrics() -> None:
    """Custom metrics of an organization."""


@metrics.command("list")
@db_option
@organization_option
@format_option
def list_metrics(db: Path | None, organization: str, output_format: str) -> None:
    """List metrics by name, with types, and units and descriptions where an exporter sent them."""
    with opened_administration(db) as administration:
        found = administration.metrics.list_metrics(organization)
    if found is None:
        raise click.ClickException(f"there is no organization {organization}")
    rows = [
        {
            "name": metric.name,
            "type": metric.type.name.lower(),
            "unit": metric.unit or None,
            "description": metric.description or None,
        }
        for metric in found
    ]
    columns = ["name", "type"]
    # Only exporters send these.
    columns += [each for each in ("unit", "description") if any(row[each] for row in rows)]
    print_rows([{name: row[name] for name in columns} for row in rows], columns, output_format)


@metrics.command()
@db_option
@organization_option
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(db: Path | None, organization: str, name: str, yes: bool) -> int:
    """Delete the metric NAME with all its points; the name may then be recorded with any type."""
    with opened_administration(db) as administration:
        found = administration.metrics.list_metrics(organization)
        if found is None:
            raise click.ClickException(f"there is no organization {organization}")
        if name not in {metric.name for metric in found}:
            raise click.ClickException(f"{organization} has no metric {name}")
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("give --yes: there is no terminal to ask at")
            if not click.confirm(f"Delete {name} of {organization} with all its points?", err=True):
                return 1
        administration.metrics.delete_metric(organization, name)
    click.echo(f"{name} of {organization} is deleted")
    return 0
