"""`vumeter db`: the database file inspected, checked, flushed and made smaller."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson

from vumeter_server.commands.administration import opened_administration
from vumeter_server.commands.database import opened
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import db_option
from vumeter_server.commands.printing import format_option, print_record, print_rows
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.maintenance import retention, verification
from vumeter_server.runtime.clock import system_clock
from vumeter_server.sqlite import Database
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.sqlite.migrations.names import NAMES

ORGANIZATION_COLUMNS = (
    "organization",
    "days",
    "flushed_points",
    "log_points",
    "metrics",
    "series",
    "labels",
    "sessions",
)


@click.group(cls=CommandGroup)
def db() -> None:
    """The database file."""


@db.command()
@db_option
@format_option
def info(db: Path | None, output_format: str) -> None:
    """Print sizes in bytes, the schema, and what each organization has."""
    with opened(db) as database:
        of_file = _file_info(database)
        organizations = [asdict(each) for each in database.read(verification.contents)]
    if output_format == "json":
        click.echo(orjson.dumps({**of_file, "organizations": organizations}).decode())
        return
    print_record(of_file, output_format)
    click.echo()
    print_rows(organizations, ORGANIZATION_COLUMNS, output_format)


def _file_info(database: Database) -> dict[str, Any]:
    def pragma(name: str) -> int:
        return int(database.read(lambda c: c.execute(f"PRAGMA {name}").fetchone()[0]))

    log = Path(f"{database.path}-wal")
    return {
        "file": str(database.path),
        "file_bytes": database.path.stat().st_size,
        "write_ahead_log_bytes": log.stat().st_size if log.exists() else 0,
        "free_bytes": pragma("freelist_count") * pragma("page_size"),
        "schema": NAMES[-1],
        "sqlite": sqlite3.sqlite_version,
    }


@db.command()
@db_option
def flush(db: Path | None) -> None:
    """Flush all points from the log into segments, and compact each day into one.

    A running server does this by itself, as needed. Without one, this makes the file as small and
    its answers as fast as they get.
    """
    _flush(db)
    click.echo("everything is flushed")


@db.command(hidden=True)
@db_option
def seal(db: Path | None) -> None:
    """Do what `flush` does; the old name, for one release."""
    _flush(db)
    click.echo("everything is sealed; this command is now called vumeter db flush")


def _flush(db: Path | None) -> None:
    with opened(db) as database:
        claim = database.lock_for_serving()
        writer, readers = database.writer(), database.readers()
        store = SqliteMetricStore(writer, readers, system_clock)
        try:
            asyncio.run(store.maintenance.flush(everything=True))
        finally:
            readers.close()
            writer.close()
            os.close(claim)


@db.command()
@db_option
def check(db: Path | None) -> int:
    """Check that the file is sound and that everything in it agrees; print what does not.

    Exits with status 1 if anything does not. Works beside a running server; on a ClickHouse cluster
    it reads the logs of all families, and nobody may record meanwhile.
    """
    with opened_administration(db) as administration:
        problems = administration.problems()
    for problem in problems:
        click.echo(problem)
    if not problems:
        click.echo("no problem found")
    return 1 if problems else 0


@db.command()
@db_option
@click.option("--full", is_flag=True, help="Write the whole file again; not beside a server.")
def vacuum(db: Path | None, full: bool) -> None:
    """Give the space of what was deleted back to the file system, in steps."""
    with opened(db) as database:
        if full:
            claim = database.lock_for_serving()
            database.vacuum()
            os.close(claim)
        else:
            while database.write(retention.vacuum_some):
                pass
        click.echo(f"{database.path.stat().st_size} bytes")
