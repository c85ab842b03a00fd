"""`vumeter limits`: how much each organization may send and store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import click

from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.commands.printing import format_option, print_rows
from vumeter_server.runtime.limits import DEFAULT_LIMITS, NO_LIMIT, RANGES

DEFAULT: Final = "default"
NONE: Final = "none"

_organization_option = click.option(
    "--organization", type=organization_name, metavar="NAME", required=True, help="Whose limits."
)


class OrganizationLimitType(click.ParamType[int | str]):
    """A whole number, `default`, or for a rate `none`."""

    def __init__(self, name: str) -> None:
        self._least, self._most = RANGES[name]
        self.name = f"N|{NONE}|{DEFAULT}" if self._least == NO_LIMIT else f"N|{DEFAULT}"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the limit that the text stands for; `default` stays as it is."""
        text = str(value)
        if text == DEFAULT:
            return text
        if text == NONE and self._least == NO_LIMIT:
            return NO_LIMIT
        least = max(self._least, 1)
        if not re.fullmatch("[0-9]{1,12}", text) or not least <= int(text) <= self._most:
            words = [DEFAULT, NONE] if self._least == NO_LIMIT else [DEFAULT]
            self.fail(
                f"{text} is not a whole number from {least:,} to {self._most:,},"
                f" nor {' or '.join(words)}",
                param,
                ctx,
            )
        return int(text)


@click.group(cls=CommandGroup)
def limits() -> None:
    """Limits: how much each organization may send and store.

    Organizations that have no limit of their own have the default, which is a setting of the
    server. What an organization stores is shown by GET /v1/custom-metrics/usage.
    """


@limits.command()
@db_option
@_organization_option
@format_option
def show(db: Path | None, organization: str, output_format: str) -> None:
    """Show the limits of an organization, and which of them are its own.

    Defaults are those of this command's environment, such as VUMETER_LIMIT_METRICS.
    """
    with opened_administration(db) as opened:
        own = opened.limits.limits(organization)
    if own is None:
        raise click.ClickException(f"there is no organization {organization}")
    defaults = _defaults()
    rows = [
        {
            "limit": name,
            "value": own.get(name, defaults[name]) or None,
            "is_own": name in own,
        }
        for name in RANGES
    ]
    print_rows(rows, ("limit", "value", "is_own"), output_format)


@limits.command("set")
@db_option
@_organization_option
@click.option(
    "--requests-per-second",
    type=OrganizationLimitType("requests_per_second"),
    help="How many calls each key may make per second.",
)
@click.option(
    "--points-per-second",
    type=OrganizationLimitType("points_per_second"),
    help="How many points of custom metrics each key may record per second.",
)
@click.option(
    "--metrics", type=OrganizationLimitType("metrics"), help="How many custom metrics it has."
)
@click.option(
    "--label-sets",
    type=OrganizationLimitType("label_sets"),
    help="How many label sets its points have.",
)
@click.option(
    "--label-values",
    type=OrganizationLimitType("label_values"),
    help="How many values each label has.",
)
def set_limits(db: Path | None, organization: str, **given: int | str | None) -> None:
    """Change limits of an organization; those that are not given stay.

    `default` takes a limit of its own away, `none` lets a rate be as high as it will. A running
    server follows within a second. What is stored already stays, also if it is more.
    """
    changed = {
        name: None if given[name] == DEFAULT else int(given[name] or NO_LIMIT)
        for name in RANGES
        if given[name] is not None
    }
    if not changed:
        raise click.UsageError("give at least one limit")
    with opened_administration(db) as opened:
        if not opened.limits.change_limits(organization, changed):
            raise click.ClickException(f"there is no organization {organization}")
    for name, value in changed.items():
        click.echo(f"{name} of {organization} is {_text(value)}")


def _defaults() -> dict[str, int]:
    """Return the limits that the environment gives to those who have none of their own."""
    defaults = {}
    # Only these settings are read: a command needs no valid port or token.
    for name, (least, most) in RANGES.items():
        variable = f"VUMETER_LIMIT_{name.upper()}"
        text = os.environ.get(variable) or str(getattr(DEFAULT_LIMITS, name))
        if not re.fullmatch("[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise click.ClickException(
                f"{variable} must be a whole number from {least:,} to {most:,}"
            )
        defaults[name] = int(text)
    return defaults


def _text(value: int | None) -> str:
    if value is None:
        return "the default"
    return "no limit" if value == NO_LIMIT else f"{value:,}"
