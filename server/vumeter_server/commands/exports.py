"""`vumeter export`: what was recorded, as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vumeter_server.commands.filters import FilterType
from vumeter_server.commands.group import CommandGroup
from vumeter_server.commands.options import file_options, tenant_id
from vumeter_server.commands.remote_tls import RemoteTls
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.errors import VumeterError
from vumeter_server.times.ranges import parse_instant
from vumeter_server.times.zones import find_zone

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@click.group("export", cls=CommandGroup)
def export_group() -> None:
    """Write what was recorded to files, over gRPC."""


output_options = file_options(click.Path(dir_okay=False, writable=True, allow_dash=True))


def output_and_range_options(function: Decorated) -> Decorated:
    """Add `output_options` and a range."""
    for option in (
        click.option(
            "--timezone",
            default="UTC",
            show_default=True,
            help="Time zone of times without an offset.",
        ),
        click.option("--end", metavar="TIME", help="First instant or date after the range."),
        click.option("--start", metavar="TIME", help="First instant or date of the range."),
        output_options,
    ):
        function = option(function)
    return function


@export_group.command("custom-metrics")
@output_and_range_options
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only of this metric.")
@click.option("--filter", "filters", multiple=True, type=FilterType(), help="Only with this label.")
def custom_metrics(
    file: str,
    target: str,
    tls: RemoteTls | None,
    file_format: str | None,
    start: str | None,
    end: str | None,
    timezone: str,
    metrics: tuple[str, ...],
    filters: tuple[Matcher, ...],
) -> int:
    """Write points to FILE, `-` for stdout, in order of time: CSV, NDJSON or Parquet.

    Without a range, metrics and filters it writes all points. NDJSON has one point per line as in
    the REST body. The file is there once it is whole; a CSV or NDJSON file that was not finished is
    gone on with by the same command. `vumeter import custom-metrics` reads all three formats. The
    key, of the role admin or owner, is read from VUMETER_API_KEY and VUMETER_SECRET_KEY.
    """
    # gRPC is loaded by the command, not by its help.
    from vumeter_server.commands.files.export_run import export_file  # noqa: PLC0415
    from vumeter_server.commands.files.point_export import (  # noqa: PLC0415
        PointExport,
        export_request,
    )
    from vumeter_server.commands.remote import connected  # noqa: PLC0415

    request = export_request(range_of(start, end, timezone), metrics, filters)
    with connected(target, tls=tls) as remote:
        return export_file(PointExport(remote, request), file, file_format, target)


@export_group.command()
@output_and_range_options
@click.option("--tenant", type=tenant_id, metavar="ID", help="Only of this tenant.")
def events(
    file: str,
    target: str,
    tls: RemoteTls | None,
    file_format: str | None,
    start: str | None,
    end: str | None,
    timezone: str,
    tenant: str | None,
) -> int:
    """Write call events to FILE, `-` for stdout, as they were received: CSV, NDJSON or Parquet.

    The range is of the times at which events occurred. NDJSON has one event per line as in the
    REST body. `vumeter import events` reads all three formats. The key, of the role operator, is
    read from VUMETER_API_KEY and VUMETER_SECRET_KEY, or the admin token from VUMETER_ADMIN_TOKEN.
    """
    from vumeter.live_metrics.v1 import live_metrics_pb2 as pb  # noqa: PLC0415 - see above
    from vumeter_server.api.times import timestamp  # noqa: PLC0415
    from vumeter_server.commands.files.events import EventExport  # noqa: PLC0415
    from vumeter_server.commands.files.export_run import export_file  # noqa: PLC0415
    from vumeter_server.commands.remote import connected  # noqa: PLC0415

    start_us, end_us = range_of(start, end, timezone)
    request = pb.ExportEventsRequest(
        tenant_id=tenant or "", start_time=timestamp(start_us), end_time=timestamp(end_us)
    )
    with connected(target, tls=tls, admin_token=True) as remote:
        return export_file(EventExport(remote, request), file, file_format, target)


@export_group.command()
@output_options
@click.option("--run-test", metavar="NAME", help="Only of this run test.")
@click.option("--execution", metavar="ID", help="Only of this execution.")
def calls(
    file: str,
    target: str,
    tls: RemoteTls | None,
    file_format: str | None,
    run_test: str | None,
    execution: str | None,
) -> int:
    """Write simulated calls to FILE, `-` for stdout, by id: CSV, NDJSON or Parquet.

    NDJSON has one call per line as in the REST body. `vumeter import simulation` reads all three
    formats; executions are not in the file. The key is read from VUMETER_API_KEY and
    VUMETER_SECRET_KEY.
    """
    from vumeter.simulation.v1 import simulation_pb2 as pb  # noqa: PLC0415 - see above
    from vumeter_server.commands.files.call_export import CallExport  # noqa: PLC0415
    from vumeter_server.commands.files.export_run import export_file  # noqa: PLC0415
    from vumeter_server.commands.remote import connected  # noqa: PLC0415

    request = pb.ExportCallsRequest(run_test_name=run_test or "", execution_id=execution or "")
    with connected(target, tls=tls) as remote:
        return export_file(CallExport(remote, request), file, file_format, target)


def range_of(start: str | None, end: str | None, timezone: str) -> tuple[int | None, int | None]:
    """Return the first instant of a range and the first after it, in microseconds."""
    try:
        zone = find_zone(timezone)
        return (
            None if start is None else parse_instant(start, zone, "--start"),
            None if end is None else parse_instant(end, zone, "--end"),
        )
    except VumeterError as error:
        raise click.UsageError(error.message) from error
