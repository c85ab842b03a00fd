"""`vumeter doctor`: what is wrong with the database, the machine or the installation."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from vumeter_server.commands.database import store_address
from vumeter_server.commands.diagnosis.database_checks import check_contents
from vumeter_server.commands.diagnosis.file_checks import check_files
from vumeter_server.commands.diagnosis.finding import Finding, FindingStatus, warning
from vumeter_server.commands.diagnosis.product_checks import check_product, settings_of
from vumeter_server.commands.diagnosis.server_checks import check_server
from vumeter_server.commands.diagnosis.tls_checks import check_tls
from vumeter_server.commands.options import db_option
from vumeter_server.commands.printing import format_option, print_rows
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.store_address import ClickHouseAddress, SqliteAddress, StoreAddress

COLUMNS = ("check", "status", "found", "advice")


@click.command()
@db_option
@click.option("--strict", is_flag=True, help="Exit with status 1 for a warning too.")
@format_option
def doctor(db: Path | None, strict: bool, output_format: str) -> int:
    """Look for what is wrong with the database, the machine and the installation.

    The database is a file, or each node of the ClickHouse cluster that VUMETER_STORE names. Takes
    seconds, writes nothing and works beside running servers. Run it as the user of the server, with
    its environment. Exits with status 1 if there is a problem. `vumeter db check` checks everything
    that the database holds.
    """
    findings = list(examine(store_address(db)))
    rows = [
        {
            "check": each.check,
            "status": each.status.value,
            "found": each.found,
            "advice": each.advice or None,
        }
        for each in findings
    ]
    print_rows(rows, COLUMNS, output_format)
    counts = {
        status: sum(each.status is status for each in findings)
        for status in (FindingStatus.PROBLEM, FindingStatus.WARNING)
    }
    if sys.stderr.isatty():
        said = ", ".join(f"{count} {status.value}s" for status, count in counts.items() if count)
        click.echo(f"\n{said or 'nothing is wrong'}", err=True)
    return int(bool(counts[FindingStatus.PROBLEM] or (strict and counts[FindingStatus.WARNING])))


def examine(address: StoreAddress) -> Iterator[Finding]:
    """Yield what is found of the product, and of a database and its server."""
    path = address.path if isinstance(address, SqliteAddress) else None
    yield from check_product(path)
    if settings := settings_of(path):
        yield from check_tls(settings, system_clock())
    if isinstance(address, ClickHouseAddress):
        yield from examine_cluster(address)
    elif address.path.is_file():
        yield from examine_file(address.path)
    else:
        yield warning(
            "database",
            f"{address.path} does not exist",
            "give --db; a first start creates it",
        )


def examine_cluster(address: ClickHouseAddress) -> Iterator[Finding]:
    """Yield what is found of a ClickHouse cluster."""
    # Loaded for those who have a cluster.
    from vumeter_server.commands.diagnosis.cluster_checks import check_cluster  # noqa: PLC0415
    from vumeter_server.runtime.logs import configure_command_logs  # noqa: PLC0415

    # What goes wrong stands in rows.
    configure_command_logs(logging.CRITICAL)
    yield from check_cluster(address, system_clock)


def examine_file(path: Path) -> Iterator[Finding]:
    """Yield what is found of a database file and its server."""
    # First: whoever closes a file last, as the next check may, brings its log into it.
    yield from check_files(path)
    yield from check_contents(path, system_clock())
    yield from check_server(path, settings_of(path))
