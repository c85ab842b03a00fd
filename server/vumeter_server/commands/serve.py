"""`vumeter serve`: the gRPC server alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
import structlog

from vumeter_server.commands.options import one_line_errors, server_options
from vumeter_server.commands.supervising import run_supervisor
from vumeter_server.runtime.addresses import Address, check_free, ip_of
from vumeter_server.runtime.logs import configure_logs
from vumeter_server.runtime.periodic import BackgroundEnded
from vumeter_server.runtime.settings import load_settings, require_admin_token, warn_of_old_names
from vumeter_server.runtime.tls import tls_files
from vumeter_server.supervisor.endpoints import Endpoints


@click.command()
@server_options
@click.option(
    "--ready-fd",
    type=click.IntRange(min=0),
    hidden=True,
    help="Write the port to this descriptor once calls are answered.",
)
def serve(ready_fd: int | None, **given: Any) -> None:
    """Run the gRPC server until Ctrl-C or SIGTERM.

    VUMETER_ADMIN_TOKEN must be set, to at least 32 characters. envoy.yaml and generated/api.binpb
    put an Envoy of your own in front of it. With --workers N further processes answer queries, on
    the ports that follow --grpc-port: give your Envoy all of them.
    """
    with one_line_errors():
        settings = load_settings(**given)
        require_admin_token(settings)
        tls_files(settings)
        # Asked before grpc, which would write a line of its own.
        check_free(Address(host=ip_of(settings.host), port=settings.grpc_port), "gRPC")
        if settings.workers > 1 and ready_fd is None:
            ctx = click.get_current_context()
            ctx.exit(run_supervisor(settings, with_edge=False, on_ready=_print_servers))
        configure_logs(settings)
        if not settings.writer_address:
            # Of several processes one says it for all.
            warn_of_old_names()
        # gRPC would write a line of its own for each client that TLS rejects.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        # The server is loaded here, so that a wrong setting is answered at once.
        from vumeter_server import app  # noqa: PLC0415
        from vumeter_server.errors import StorageDamaged  # noqa: PLC0415
        from vumeter_server.sqlite import DatabaseError  # noqa: PLC0415
        from vumeter_server.sqlite.database import damaged_file  # noqa: PLC0415

        def on_ready(port: int) -> None:
            if ready_fd is not None:
                os.write(ready_fd, b"%d\n" % port)
                os.close(ready_fd)
            else:
                click.echo(f"gRPC on {settings.host}:{port}")

        try:
            with upgrade_progress() as on_progress:
                asyncio.run(app.serve(settings, on_ready=on_ready, on_progress=on_progress))
        except DatabaseError as error:
            raise click.ClickException(str(error)) from error
        except StorageDamaged as error:
            raise click.ClickException(str(damaged_file(settings.db, error))) from error
        except BackgroundEnded as error:
            # Not 2, which says that what the operator gave is wrong.
            click.echo(f"vumeter serve: {error}", err=True)
            click.get_current_context().exit(1)


@contextlib.contextmanager
def upgrade_progress() -> Iterator[Callable[[int, int], None]]:
    """Show how far the database of an earlier version has been converted, if it has to be."""
    if not sys.stderr.isatty():
        log = structlog.get_logger(__name__)
        yield lambda done, total: log.info("database_upgrade", days_done=done, days=total)
        return
    from rich.progress import Progress  # noqa: PLC0415 - hardly ever needed

    with contextlib.ExitStack() as shown:
        progress: Progress | None = None

        def on_progress(done: int, total: int) -> None:
            nonlocal progress
            if progress is None:
                progress = shown.enter_context(Progress(transient=True))
                progress.add_task("upgrading the database", total=total)
            progress.update(progress.task_ids[0], completed=done)
            if done == total:
                shown.close()

        yield on_progress


async def _print_servers(endpoints: Endpoints) -> None:
    for address in endpoints.servers:
        click.echo(f"gRPC on {address}")
    if endpoints.metrics_url:
        click.echo(f"own metrics on {endpoints.metrics_url}")
