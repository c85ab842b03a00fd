"""`vumeter up`: server and Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import click

from vumeter_server.commands.options import PORT, one_line_errors, server_options
from vumeter_server.runtime.logs import configure_logs
from vumeter_server.runtime.settings import Settings, load_settings, require_admin_token
from vumeter_server.supervisor import supervisor
from vumeter_server.supervisor.endpoints import Endpoints
from vumeter_server.supervisor.server_process import ChildFailed


@click.command()
@server_options
@click.option(
    "--rest-port", type=PORT, help="REST port, 0 for any. [env VUMETER_REST_PORT, default 8080]"
)
@click.option("--demo", is_flag=True, default=None, help="Put demo data into a new database.")
def up(**given: Any) -> int:
    """Run server and Envoy in the foreground until Ctrl-C or SIGTERM.

    Envoy's port takes REST, gRPC and gRPC-Web; the gRPC port leads to the server directly.
    VUMETER_ADMIN_TOKEN must be set, to at least 32 characters.
    """
    with one_line_errors():
        settings = load_settings(**given)
        require_admin_token(settings)
        return run_supervisor(settings, on_ready=_on_ready(settings))


def _on_ready(
    settings: Settings,
) -> Callable[[Endpoints], Coroutine[Any, Any, None]]:
    async def greet(endpoints: Endpoints) -> None:
        await print_endpoints(endpoints)
        if settings.demo:
            await load_demo_data(settings, endpoints)
            await play_demo_data(settings, endpoints)

    return greet


async def load_demo_data(settings: Settings, endpoints: Endpoints) -> None:
    """Put demo data into a database that never had any."""
    # A product without demo data has no use for a gRPC client.
    from vumeter_server.demo.loading import load_demo  # noqa: PLC0415

    await load_demo(settings, endpoints.inside)


async def play_demo_data(settings: Settings, endpoints: Endpoints) -> None:
    """Play demo data as long as the product runs."""
    from vumeter_server.demo.loading import play_demo  # noqa: PLC0415

    await play_demo(settings, endpoints.inside)


async def print_endpoints(endpoints: Endpoints) -> None:
    """Say where the product answers."""
    click.echo(f"REST  {endpoints.rest_url}  (gRPC and gRPC-Web too)")
    click.echo(f"gRPC  {endpoints.grpc.from_here}")
    if endpoints.metrics_url:
        click.echo(f"own metrics  {endpoints.metrics_url}  (Prometheus)")


def run_supervisor(
    settings: Settings,
    *,
    on_ready: Callable[[Endpoints], Coroutine[Any, Any, None]],
    with_edge: bool = True,
) -> int:
    """Run servers, and Envoy unless it is left out; return the exit status.

    Raises StartError if they could not be started, unless a child has said so itself.
    """
    configure_logs(settings)
    try:
        return asyncio.run(supervisor.run(settings, with_edge=with_edge, on_ready=on_ready))
    except ChildFailed as failed:
        return 2 if failed.status == 2 else 1
