"""`vumeter points`: recorded points, taken back."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.commands.administration import known_organization, opened_administration
from vumeter_server.commands.deleting import (
    check_can_ask,
    counted,
    deletion_options,
    is_agreed,
)
from vumeter_server.commands.filters import FilterType
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.custom_metrics.asked_points import in_words
from vumeter_server.custom_metrics.deletion import DeleteRequest, delete_query
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.errors import VumeterError
from vumeter_server.runtime.logs import configure_command_logs
from vumeter_server.times.ranges import parse_instant
from vumeter_server.times.zones import find_zone


@click.group(cls=CommandGroup)
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
@deletion_options
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
        request = DeleteRequest(
            start_us=None if start is None else parse_instant(start, zone, "--start"),
            end_us=None if end is None else parse_instant(end, zone, "--end"),
            metric_names=metrics,
            filters=filters,
        )
        query = delete_query(request)
    except VumeterError as error:
        raise click.UsageError(error.message) from error
    check_can_ask(dry_run=dry_run, yes=yes)
    configure_command_logs()
    with opened_administration(db) as administration:
        organization_id = known_organization(administration, organization)
        count = administration.points.count_points(organization_id, query)
        if dry_run:
            click.echo(f"{counted(count, 'point')} of {organization} would be deleted")
            return 0
        if count:
            question = f"Delete {counted(count, 'point')} of {organization}?"
            if not is_agreed(question, yes=yes):
                return 1
            administration.audit.note(
                "points.delete",
                organization_id=organization_id,
                details={"points": count, **in_words(request)},
            )
            count = administration.points.delete_points(organization_id, query)
    click.echo(f"{counted(count, 'point')} of {organization} deleted")
    return 0
