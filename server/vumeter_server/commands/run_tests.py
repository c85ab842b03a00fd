"""`vumeter run-tests`: run tests of simulated calls, deleted."""

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
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option, organization_name
from vumeter_server.runtime.logs import configure_command_logs
from vumeter_server.simulation.store import SimulationContents


@click.group("run-tests", cls=CommandGroup)
def run_tests() -> None:
    """Run tests of simulated calls."""


@run_tests.command()
@db_option
@click.option(
    "--organization", type=organization_name, metavar="NAME", required=True, help="Whose run tests."
)
@click.argument("names", metavar="RUN_TEST...", nargs=-1, required=True)
@deletion_options
def delete(
    db: Path | None, organization: str, names: tuple[str, ...], dry_run: bool, yes: bool
) -> int:
    """Delete run tests with their executions and calls: all of them or none.

    What is reported to a run test of that name afterwards is recorded as new.
    """
    check_can_ask(dry_run=dry_run, yes=yes)
    configure_command_logs()
    with opened_administration(db) as administration:
        run_tests = administration.run_tests
        organization_id = known_organization(administration, organization)
        for name in names:
            if not run_tests.contents(organization_id, [name]).run_tests:
                raise click.ClickException(f"{organization} has no run test {name}")
        found = run_tests.contents(organization_id, names)
        if dry_run:
            click.echo(f"{what_it_holds(found)} of {organization} would be deleted")
            return 0
        if not is_agreed(f"Delete {what_it_holds(found)} of {organization}?", yes=yes):
            return 1
        for name in names:
            administration.audit.note(
                "run_test.delete", organization_id=organization_id, target=name
            )
        deleted = run_tests.delete(organization_id, names)
    click.echo(f"{what_it_holds(deleted)} of {organization} deleted")
    return 0


def what_it_holds(contents: SimulationContents) -> str:
    """Return the counts in words."""
    return (
        f"{counted(contents.run_tests, 'run test')},"
        f" {counted(contents.executions, 'execution')}"
        f" and {counted(contents.calls, 'simulated call')}"
    )
