"""`vumeter import`: files of what was measured elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from vumeter_server.commands.options import remote_options

FORMATS = ("ndjson", "csv")


@click.group("import")
def import_group() -> None:
    """Record what files hold, over gRPC."""


@import_group.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@remote_options
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), help="Default: by the file's name."
)
@click.option(
    "--run-test",
    metavar="NAME",
    help="Record executions that are not known yet as executions of this run test.",
)
def simulation(
    file: Path, target: str, tls: bool, file_format: str | None, run_test: str | None
) -> int:
    """Record the calls of FILE: NDJSON, a call a line as in the REST body, or CSV with a header.

    Exits 0 if all calls were recorded, 1 if some were refused (each is named on stderr with its
    line), 2 if it had to stop. After a stop the same command goes on where it was; what was
    recorded is not doubled. The key is read from VUMETER_API_KEY and VUMETER_SECRET_KEY.
    """
    # gRPC is loaded by the command, not by its help.
    from vumeter_server.commands.import_simulation import import_calls  # noqa: PLC0415

    return import_calls(file, target, tls=tls, file_format=file_format, run_test=run_test)
