"""`vumeter dashboard`: a link that opens the dashboard signed in."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.access.organizations import DEMO
from vumeter_server.access.sign_in import CODE_FOR_US
from vumeter_server.access.store import SignInAdministration
from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.commands.running import database_path, find_running
from vumeter_server.times.units import MINUTE_US

LINK_IN_SHORT = f"good once, for {CODE_FOR_US // MINUTE_US} minutes"


@click.command()
@db_option
@click.option(
    "--organization",
    type=organization_name,
    metavar="NAME",
    help="Whose data the link opens. [default: demo, with live metrics]",
)
@click.option(
    "--live", is_flag=True, help="Open the live metrics too, which are of all tenants together."
)
@click.option(
    "--url",
    metavar="URL",
    help="Where browsers reach the server. [default: where it runs on this machine]",
)
def dashboard(db: Path | None, organization: str | None, live: bool, url: str | None) -> None:
    """Print a link that opens the dashboard signed in, once and within five minutes.

    Whoever opens it gets a key with the role admin for 12 hours, and with --live one that reads
    live metrics.
    """
    path = database_path(db)
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.BadParameter("must begin with http:// or https://", param_hint="'--url'")
    with opened_administration(db) as administration:
        base = url or find_running(path).rest
        click.echo(
            new_link(
                administration.sign_in,
                base,
                organization or DEMO,
                for_live=live or not organization,
            )
        )


def new_link(
    administration: SignInAdministration, url: str, organization: str, *, for_live: bool
) -> str:
    """Create a link; that there is no such organization is one line and status 2."""
    code = administration.create_code(organization, for_live=for_live)
    if code is None:
        raise click.ClickException(
            f"there is no organization {organization}: name another one with --organization"
        )
    # A fragment is sent to no server, and stands in no log.
    return f"{url.rstrip('/')}/ui/#/sign-in?code={code}"
