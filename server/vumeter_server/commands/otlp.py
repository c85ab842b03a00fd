"""`vumeter otlp`: what OpenTelemetry exporters send, how it is mapped, and what was rejected."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path

import click

from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.commands.printing import format_option, print_record, print_rows, time_text
from vumeter_server.custom_metrics.exported import Reason
from vumeter_server.otlp.mapping import AttributeMapping

MAX_KEYS = 100
MAX_KEY = 256
LISTS = tuple(each.name for each in fields(AttributeMapping))
_REASONS = frozenset(Reason)

organization_option = click.option(
    "--organization", type=organization_name, metavar="NAME", required=True, help="Whose."
)


@click.group(cls=CommandGroup)
def otlp() -> None:
    """OpenTelemetry: how attributes become labels, and which points were rejected."""


@otlp.command()
@db_option
@organization_option
@click.option("--counts", is_flag=True, help="Show how many points, not the last ones.")
@format_option
def rejected(db: Path | None, organization: str, counts: bool, output_format: str) -> None:
    """List the last 100 rejected points, newest first."""
    with opened_administration(db) as administration:
        found = administration.otlp.rejections(organization)
    if found is None:
        raise _unknown(organization)
    if counts:
        rows = [
            {
                "reason": each.what,
                "rejected": "yes" if each.what in _REASONS else "no",
                "key_id": each.key_id,
                "metric": each.metric_name or None,
                "points": each.points,
                "last_at": time_text(each.last_us),
            }
            for each in sorted(found.counts, key=lambda each: -each.points)
        ]
        print_rows(
            rows, ("reason", "rejected", "key_id", "metric", "points", "last_at"), output_format
        )
        return
    latest = [
        {
            "rejected_at": time_text(each.rejected_us),
            "key_id": each.key_id,
            "metric": each.point.metric_name or None,
            "reason": each.point.reason.value,
            "problem": each.point.problem,
        }
        for each in found.latest
    ]
    print_rows(latest, ("rejected_at", "key_id", "metric", "reason", "problem"), output_format)


@otlp.group(cls=CommandGroup)
def mapping() -> None:
    """Which attributes become the agent, the environment, the session and labels."""


@mapping.command("show")
@db_option
@organization_option
@format_option
def show_mapping(db: Path | None, organization: str, output_format: str) -> None:
    """Show the lists of attributes."""
    with opened_administration(db) as administration:
        found = administration.otlp.mapping(organization)
    if found is None:
        raise _unknown(organization)
    lists = {name: list(keys) for name, keys in asdict(found).items()}
    if output_format == "json":
        print_record(lists, output_format)
    else:
        print_record({name: ", ".join(keys) or None for name, keys in lists.items()}, output_format)


@mapping.command("set")
@db_option
@organization_option
@click.argument("name", type=click.Choice(LISTS), metavar="LIST")
@click.argument("keys", nargs=-1)
def set_mapping(db: Path | None, organization: str, name: str, keys: tuple[str, ...]) -> None:
    """Replace LIST (agent, environment, session, kept or dropped) by KEYS.

    The first key of agent, environment and session that a point has counts. At the end of a key of
    kept and dropped, * stands for anything. Points that are recorded already stay as they are.
    """
    _check(name, keys)
    with opened_administration(db) as administration:
        found = administration.otlp.mapping(organization)
        if found is None:
            raise _unknown(organization)
        administration.otlp.set_mapping(organization, replace(found, **{name: keys}))
    click.echo(f"{name} of {organization}: {', '.join(keys) or 'nothing'}")


@mapping.command("reset")
@db_option
@organization_option
def reset_mapping(db: Path | None, organization: str) -> None:
    """Go back to the lists that a new organization has."""
    with opened_administration(db) as administration:
        if not administration.otlp.set_mapping(organization, None):
            raise _unknown(organization)
    click.echo(f"{organization} has the default mapping: vumeter otlp mapping show")


def _check(name: str, keys: tuple[str, ...]) -> None:
    if len(keys) > MAX_KEYS:
        raise click.UsageError(f"at most {MAX_KEYS} keys")
    for key in keys:
        if not key or len(key) > MAX_KEY:
            raise click.UsageError(f"a key must have 1 to {MAX_KEY} characters")
        if "*" in key[:-1] or (key.endswith("*") and name not in ("kept", "dropped")):
            raise click.UsageError(f"{key}: * is taken at the end of keys of kept and dropped")


def _unknown(organization: str) -> click.ClickException:
    return click.ClickException(f"there is no organization {organization}")
