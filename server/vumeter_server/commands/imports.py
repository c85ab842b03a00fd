"""`vumeter import`: files of what was measured elsewhere."""

from __future__ import annotations

import click

from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import file_options
from vumeter_server.commands.remote_tls import RemoteTls


@click.group("import", cls=CommandGroup)
def import_group() -> None:
    """Record what files hold, over gRPC."""


input_options = file_options(click.Path(exists=True, dir_okay=False, allow_dash=True))


@import_group.command("custom-metrics")
@input_options
def custom_metrics(file: str, target: str, tls: RemoteTls | None, file_format: str | None) -> int:
    """Record the points of FILE, `-` for stdin: what `vumeter export custom-metrics` wrote.

    NDJSON has one point per line as in the REST body, CSV and Parquet have one per row. Each point
    needs its timestamp. Exits 0 if all points were recorded, 1 if some were rejected (each is named
    on stderr with its line), 2 if it had to stop. The same command goes on where it was, and a
    repeat records nothing twice. The key is read from VUMETER_API_KEY and VUMETER_SECRET_KEY.
    """
    # gRPC is loaded by the command, not by its help.
    from vumeter_server.commands.files.import_run import import_file  # noqa: PLC0415
    from vumeter_server.commands.files.points import PointImport  # noqa: PLC0415
    from vumeter_server.commands.remote import connected  # noqa: PLC0415

    with connected(target, tls=tls) as remote:
        return import_file(PointImport(remote), file, file_format, target)


@import_group.command()
@input_options
def events(file: str, target: str, tls: RemoteTls | None, file_format: str | None) -> int:
    """Record the call events of FILE, `-` for stdin: what `vumeter export events` wrote.

    NDJSON has one event per line as in the REST body, CSV and Parquet have one per row. Exits as
    `vumeter import custom-metrics`; an event that is known already changes nothing. The key, of the
    role reporter, is read from VUMETER_API_KEY and VUMETER_SECRET_KEY, or the admin token from
    VUMETER_ADMIN_TOKEN.
    """
    from vumeter_server.commands.files.events import EventImport  # noqa: PLC0415 - see above
    from vumeter_server.commands.files.import_run import import_file  # noqa: PLC0415
    from vumeter_server.commands.remote import connected  # noqa: PLC0415

    with connected(target, tls=tls, admin_token=True) as remote:
        return import_file(EventImport(remote), file, file_format, target)


@import_group.command()
@input_options
@click.option(
    "--run-test",
    metavar="NAME",
    help="Record executions that are not known yet as executions of this run test.",
)
def simulation(
    file: str, target: str, tls: RemoteTls | None, file_format: str | None, run_test: str | None
) -> int:
    """Record the calls of FILE, `-` for stdin: NDJSON, CSV or Parquet.

    NDJSON has one call per line as in the REST body, CSV and Parquet have one per row. Exits 0 if
    all calls were recorded, 1 if some were rejected (each is named on stderr with its line), 2 if
    it had to stop. After a stop the same command goes on where it was; what was recorded is not
    doubled. The key is read from VUMETER_API_KEY and VUMETER_SECRET_KEY.
    """
    from vumeter_server.commands.files.calls import CallImport  # noqa: PLC0415 - see above
    from vumeter_server.commands.files.import_run import import_file  # noqa: PLC0415
    from vumeter_server.commands.remote import connected  # noqa: PLC0415

    with connected(target, tls=tls) as remote:
        return import_file(CallImport(remote, run_test), file, file_format, target)
