"""`vumeter up`: server and Envoy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import click

from vumeter_server.commands.demo_data import load_and_play_demo_data
from vumeter_server.commands.first_start import (
    TOKEN_VARIABLE,
    greeting,
    keep_admin_token,
    keep_terminal_readable,
)
from vumeter_server.commands.options import PORT, one_line_errors, server_options
from vumeter_server.commands.running import Running, database_path, published
from vumeter_server.commands.supervising import run_supervisor
from vumeter_server.runtime.settings import Settings, load_settings, require_admin_token
from vumeter_server.supervisor.endpoints import Endpoints


@click.command()
@server_options
@click.option(
    "--rest-port", type=PORT, help="REST port, 0 for any. [env VUMETER_REST_PORT, default 8080]"
)
@click.option("--demo", is_flag=True, default=None, help="Load demo data, and keep it up to date.")
def up(**given: Any) -> int:
    """Run server and Envoy in the foreground until Ctrl-C or SIGTERM.

    Envoy's port takes REST, gRPC and gRPC-Web; the gRPC port leads to the server directly.

    VUMETER_ADMIN_TOKEN holds the admin token, at least 32 characters. If it is not set, the token
    and a key are created and kept beside the database, and a link is printed that opens the
    dashboard.
    """
    with one_line_errors():
        is_first = TOKEN_VARIABLE not in os.environ
        if is_first:
            db = database_path(given.get("db"))
            keep_admin_token(db)
            keep_terminal_readable(db)
        settings = load_settings(**given)
        require_admin_token(settings)
        greet = greeting(settings, token_is_kept=True) if is_first else _on_ready(settings)
        return run_supervisor(settings, on_ready=greet)


def _on_ready(settings: Settings) -> Callable[[Endpoints], Coroutine[Any, Any, None]]:
    async def greet(endpoints: Endpoints) -> None:
        with published(settings.db, Running.of(endpoints)):
            click.echo(endpoints.text)
            if settings.demo:
                await load_and_play_demo_data(settings, endpoints)
            await asyncio.Event().wait()

    return greet
