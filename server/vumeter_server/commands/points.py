"""`vumeter points`: recorded points, taken back."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from vumeter_server.commands.database import opened
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.commands.point_deletion import (
    SqlitePointAdministration,
)
from vumeter_server.custom_metrics.deletion import DeleteRequest, delete_query
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.errors import VumeterError
from vumeter_server.runtime.logs import configure_command_logs
from vumeter_server.times.ranges import parse_instant
from vumeter_server.times.zones import find_zone

_FILTER = re.compile(r"(?P<label>[A-Za-z_][A-Za-z0-9_]*)(?P<op>=~|!~|!=|=)(?P<value>.*)", re.DOTALL)
_OPERATORS = {each.value: each for each in Operator if not each.is_list}


class FilterType(click.ParamType[Matcher]):
    """LABEL=VALUE, or with `!=`, `=~` and `!~` in the place of `=`."""

    name = "LABEL=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Matcher:
        """Return the filter that the text stands for."""
        if isinstance(value, Matcher):
            return value
        read = _FILTER.fullmatch(str(value))
        if read is None:
            self.fail(f"{value} is not LABEL=VALUE, with =, !=, =~ or !~", param, ctx)
        return Matcher(read["label"], _OPERATORS[read["op"]], (read["value"],))


@click.group()
def points() -> None:
    """Recorded points of custom metrics."""


@points.command()
@db_option
@click.option(
    "--organization", type=organization_name, metavar="NAME", required=True, help="Whose points."
)
@click.option("--start", metavar="TIME", help="First instant or date of the range.")
@click.option("--end", metavar="TIME", help="First instant or date after the range.")
@click.option(
    "--timezone", default="UTC", show_default=True, help="Time zone of times without an offset."
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only of this metric.")
@click.option("--filter", "filters", multiple=True, type=FilterType(), help="Only with this label.")
@click.option("--dry-run", is_flag=True, help="Count the points and delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(
    db: Path | None,
    organization: str,
    start: str | None,
    end: str | None,
    timezone: str,
    metrics: tuple[str, ...],
    filters: tuple[Matcher, ...],
    dry_run: bool,
    yes: bool,
) -> int:
    """Delete points of a range, of metrics or with labels: all of them or none.

    At least one of --start, --end, --metric and --filter is needed. Filters must all hold;
    agent_id, environment_id and session_id are labels too. A running server goes on recording.
    """
    try:
        zone = find_zone(timezone)
        query = delete_query(
            DeleteRequest(
                start_us=None if start is None else parse_instant(start, zone, "--start"),
                end_us=None if end is None else parse_instant(end, zone, "--end"),
                metric_names=metrics,
                filters=filters,
            )
        )
    except VumeterError as error:
        raise click.UsageError(error.message) from error
    configure_command_logs()
    with opened(db) as database:
        administration = SqlitePointAdministration(database)
        count = administration.count_points(organization, query)
        if count is None:
            raise click.ClickException(f"there is no organization {organization}")
        if dry_run or not count:
            click.echo(f"{count:,} points of {organization} would be deleted")
            return 0
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("give --yes: there is no terminal to ask at")
            if not click.confirm(f"Delete {count:,} points of {organization}?", err=True):
                return 1
        deleted = administration.delete_points(organization, query)
    click.echo(f"{deleted or 0:,} points of {organization} are deleted")
    return 0
