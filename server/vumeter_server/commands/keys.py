"""`vumeter keys`: API keys created, labeled, replaced, revoked and listed."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import LIVE_ROLES, ROLES_IN_SHORT, Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.access.store import KeyInfo
from vumeter_server.commands.database import opened
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import (
    db_option,
    duration,
    key_label,
    organization_name,
    tenant_id,
)
from vumeter_server.commands.printing import (
    Row,
    format_option,
    print_record,
    print_rows,
    time_text,
)
from vumeter_server.runtime.clock import system_clock

# Of what the JSON holds, what people look for.
LISTED = ("key_id", "organization", "role", "state", "expires_at", "last_used_at")
# Columns that are empty for most keys of most operators.
LISTED_IF_ANY = ("label", "tenant")


@click.group(cls=CommandGroup)
def keys() -> None:
    """API keys; a running server honors every change within a second."""


@keys.command()
@db_option
@click.option(
    "--organization",
    type=organization_name,
    metavar="NAME",
    required=True,
    help="Whose key it is; an organization that does not exist is created.",
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help=ROLES_IN_SHORT,
)
@click.option(
    "--tenant",
    type=tenant_id,
    metavar="ID",
    help="The only tenant of live metrics that the key is for. [default: all tenants]",
)
@click.option(
    "--label",
    type=key_label,
    metavar="TEXT",
    help="What the key is for, such as 'booking agent, production'. [default: none]",
)
@click.option(
    "--expires-in",
    type=duration,
    metavar="DURATION",
    help="How long the key is active, such as 90d or 12h. [default: for ever]",
)
@click.option(
    "--create",
    "creates_database",
    is_flag=True,
    help="Create the database too, if there is none.",
)
@format_option
def create(
    db: Path | None,
    organization: str,
    role: str,
    tenant: str | None,
    label: str | None,
    expires_in: int | None,
    creates_database: bool,
    output_format: str,
) -> None:
    """Create a key and print it with its secret, which is shown only now."""
    if tenant is not None and role not in LIVE_ROLES:
        raise click.BadParameter(
            "goes with --role operator or reporter alone", param_hint="'--tenant'"
        )
    with opened(db, create=creates_database, hint="--create creates it") as database:
        administration = SqliteKeyAdministration(database)
        expires_us = None if expires_in is None else system_clock() + expires_in
        key = administration.create_key(organization, Role(role), expires_us, tenant, label)
        _print_new(administration, key, output_format)


@keys.command()
@db_option
@click.argument("key_id")
@format_option
def rotate(db: Path | None, key_id: str, output_format: str) -> None:
    """Replace a key: create one of the same organization, role, tenant, label and lifetime.

    KEY_ID is revoked.
    """
    with opened(db) as database:
        administration = SqliteKeyAdministration(database)
        key = administration.rotate_key(key_id)
        if key is None:
            raise click.ClickException(f"there is no key {key_id} that is still good")
        _print_new(administration, key, output_format)


@keys.command()
@db_option
@click.argument("key_id")
@click.argument("label", type=key_label, required=False)
def label(db: Path | None, key_id: str, label: str | None) -> None:
    """Say what a key is for, or take its label away if no LABEL is given."""
    with opened(db) as database:
        if not SqliteKeyAdministration(database).set_label(key_id, label):
            raise click.ClickException(f"there is no key {key_id}")
    click.echo(f"{key_id} has no label" if label is None else f"{key_id} is labeled {label}")


@keys.command()
@db_option
@click.argument("key_id")
def revoke(db: Path | None, key_id: str) -> None:
    """Reject a key from now on."""
    with opened(db) as database:
        if not SqliteKeyAdministration(database).revoke_key(key_id):
            raise click.ClickException(f"there is no key {key_id}")
    click.echo(f"{key_id} is revoked")


@keys.command("list")
@db_option
@click.option(
    "--organization", type=organization_name, metavar="NAME", help="Only keys of this one."
)
@format_option
def list_keys(db: Path | None, organization: str | None, output_format: str) -> None:
    """List keys by organization and time of creation; secrets are not known."""
    with opened(db) as database:
        found = SqliteKeyAdministration(database).list_keys()
    now_us = system_clock()
    rows = [
        _row(key, now_us)
        for key in found
        if organization is None or key.organization == organization
    ]
    # A terminal has no room for columns that are empty everywhere.
    filled = [name for name in LISTED_IF_ANY if any(row[name] is not None for row in rows)]
    print_rows(rows, (*LISTED, *filled), output_format)


def _print_new(administration: SqliteKeyAdministration, key: NewKey, output_format: str) -> None:
    (created,) = [each for each in administration.list_keys() if each.key_id == key.key_id]
    record = {
        "key_id": key.key_id,
        "secret": key.secret,
        "bearer": key.bearer,
        "organization": created.organization,
        "role": created.role.value,
        "tenant": created.tenant_id,
        "label": created.label,
        "expires_at": time_text(created.expires_us),
    }
    print_record(record, output_format)


def _row(key: KeyInfo, now_us: int) -> Row:
    return {
        "key_id": key.key_id,
        "organization": key.organization,
        "role": key.role.value,
        "tenant": key.tenant_id,
        "label": key.label,
        "state": key.state_at(now_us).value,
        "created_at": time_text(key.created_us),
        "expires_at": time_text(key.expires_us),
        "revoked_at": time_text(key.revoked_us),
        "last_used_at": time_text(key.last_used_us),
    }
