"""`vumeter clock`: whether the server trusts the machine's clock."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option
from vumeter_server.commands.printing import format_option, print_record, time_text
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.clock_guard import MAX_AHEAD_AT_START_US


@click.group(cls=CommandGroup)
def clock() -> None:
    """The machine's clock, by which old data is deleted."""


@clock.command()
@db_option
@format_option
def status(db: Path | None, output_format: str) -> None:
    """Show the machine's time, the last trusted one, and whether the server trusts the clock."""
    with opened_administration(db) as administration:
        record = administration.clock.record()
    now_us = system_clock()
    is_trusted = record is None or (
        not record.untrusted_for_us and now_us - record.seen_us <= MAX_AHEAD_AT_START_US
    )
    row = {
        "now": time_text(now_us),
        "last_seen": time_text(record.seen_us if record else None),
        "trusted": is_trusted,
    }
    print_record(row, output_format)


@clock.command()
@db_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept(db: Path | None, yes: bool) -> None:
    """Say that the machine's clock is right, so that old data is deleted by it again.

    A running server takes this within a second or two, else the next start does.
    """
    now = time_text(system_clock())
    with opened_administration(db) as administration:
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("give --yes: there is no terminal to ask at")
            click.confirm(f"Is it {now} now?", abort=True, err=True)
        administration.clock.accept()
    click.echo(f"the clock is accepted: {now}")
