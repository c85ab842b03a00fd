"""`vumeter env`: what a second terminal needs to know of the running server."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from vumeter_server.access.keys import parse_bearer
from vumeter_server.commands.database import store_address
from vumeter_server.commands.options import db_option, one_line_errors
from vumeter_server.commands.running import Running, database_path, find_running
from vumeter_server.runtime.store_address import SqliteAddress


@click.command()
@db_option
def env(db: Path | None) -> None:
    r"""Print variables for a shell: where the server answers, and what opens it.

    \b
    eval "$(vumeter env)"

    It sets VUMETER_URL (REST), VUMETER_GRPC (host:port), VUMETER_DB; and, of what a first start
    created, VUMETER_ADMIN_TOKEN and the key: VUMETER_KEY, or in two parts VUMETER_API_KEY and
    VUMETER_SECRET_KEY.
    """
    path = database_path(db)
    running = find_running(path)
    is_on_file = isinstance(store_address(db), SqliteAddress)
    with one_line_errors():
        for name, value in _variables(path if is_on_file else None, running):
            click.echo(f"export {name}={shlex.quote(value)}")


def _variables(db: Path | None, running: Running) -> Iterator[tuple[str, str]]:
    yield "VUMETER_URL", running.rest
    yield "VUMETER_GRPC", running.grpc
    if db is not None:
        yield "VUMETER_DB", str(db.resolve())
    if running.admin_token_file:
        yield "VUMETER_ADMIN_TOKEN", Path(running.admin_token_file).read_text().strip()
    if running.key_file:
        bearer = Path(running.key_file).read_text().strip()
        yield "VUMETER_KEY", bearer
        if (key := parse_bearer(bearer)) is not None:
            yield "VUMETER_API_KEY", key.key_id
            yield "VUMETER_SECRET_KEY", key.secret
