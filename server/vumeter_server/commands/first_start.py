"""The first start: somebody has no admin token and no key yet, and wants to see something.

Token and key are created, and kept beside the database in files that only this user can read; the
next start takes them again. What is printed stays readable: the access log goes to a file, and the
log of the server begins with warnings.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from vumeter_server.access.organizations import DEMO
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyAdministration, KeyState
from vumeter_server.commands.administration import administration_of
from vumeter_server.commands.dashboard import LINK_IN_SHORT, new_link
from vumeter_server.commands.demo_data import load_demo_data, play_demo_data
from vumeter_server.commands.first_requests import first_requests
from vumeter_server.commands.running import Running, published, write_for_this_user
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.patience import patiently
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError
from vumeter_server.supervisor.endpoints import Endpoints
from vumeter_server.times.units import DAY_US

T = TypeVar("T")

KEY_DAYS = 30
RETRY_AFTER_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Somebody waits at the terminal."""

TOKEN_VARIABLE = "VUMETER_ADMIN_TOKEN"  # noqa: S105 - the name, not the token
_ACCESS_LOG_VARIABLES = ("VUMETER_ACCESS_LOG", "VUMETER_ACCESS_LOG_FILE")


def keep_admin_token(db: Path) -> None:
    """Set the admin token of this process to the one kept beside `db`; create it if there is none.

    Raises OSError if the file cannot be read or written.
    """
    path = _token_file(db)
    if not path.exists():
        write_for_this_user(path, secrets.token_urlsafe(32))
    os.environ[TOKEN_VARIABLE] = path.read_text().strip()


def keep_terminal_readable(db: Path) -> None:
    """Let requests print no line, unless the environment says where logs go and how much.

    The access log goes to a file beside `db`. The answer says why a request was rejected, so the
    server's own line about it is left out.
    """
    if not any(os.environ.get(name) for name in _ACCESS_LOG_VARIABLES):
        os.environ["VUMETER_ACCESS_LOG_FILE"] = str(db.parent / "access.log")
    os.environ.setdefault("VUMETER_LOG_LEVEL", "warning")


def greeting(
    settings: Settings, *, token_is_kept: bool
) -> Callable[[Endpoints], Coroutine[Any, Any, None]]:
    """Return what to do once the product answers: say so, and what to do next."""

    async def greet(endpoints: Endpoints) -> None:
        click.echo(endpoints.text)
        administration = await asyncio.to_thread(administration_of, settings)
        await _in_time(partial(_keep_key, settings.db, administration.keys))
        running = Running.of(
            endpoints,
            admin_token=_token_file(settings.db) if token_is_kept else None,
            key=_key_file(settings.db),
        )
        with published(settings.db, running):
            if settings.demo:
                await load_demo_data(settings, endpoints, administration)
            # Late, since it is good for five minutes.
            link = await _in_time(
                partial(new_link, administration.sign_in, endpoints.rest_url, DEMO, for_live=True)
            )
            click.echo(_greeting_text(settings, link, token_is_kept=token_is_kept))
            if settings.demo:
                await play_demo_data(settings, endpoints, administration)
            await asyncio.Event().wait()

    return greet


def _token_file(db: Path) -> Path:
    return db.parent / "admin-token"


def _key_file(db: Path) -> Path:
    return db.with_name(f"{db.stem}.demo-key")


async def _in_time(work: Callable[[], T]) -> T:
    """Do what a busy cluster may have no time for. Raises StartError if it has none at all."""
    try:
        return await patiently(partial(asyncio.to_thread, work), RETRY_AFTER_SECONDS)
    except (Unavailable, DeadlineExceeded):
        raise StartError("the cluster does not answer in time: start again when it does") from None


def _keep_key(db: Path, administration: KeyAdministration) -> None:
    """Keep the key of an earlier start if it is good for another day, otherwise a new one."""
    path = _key_file(db)
    if path.exists():
        key_id = path.read_text().partition(".")[0].strip()
        tomorrow_us = system_clock() + DAY_US
        for found in administration.list_keys():
            if found.key_id == key_id and found.state_at(tomorrow_us) is KeyState.GOOD:
                return
    key = administration.create_key(DEMO, Role.OWNER, system_clock() + KEY_DAYS * DAY_US)
    write_for_this_user(path, key.bearer)


def _greeting_text(settings: Settings, link: str, *, token_is_kept: bool) -> str:
    token = f"Admin token, for live metrics: {_token_file(settings.db)}\n" if token_is_kept else ""
    log = (
        f"Access log: {settings.access_log_file}\n"
        if settings.access_log and settings.access_log_file
        else ""
    )
    return f"""
Dashboard, signed in. The link is {LINK_IN_SHORT}:
  {link}
Another link:
  {_command("dashboard", settings)}

Requests to paste in a second terminal. First where the server is, and what opens it:
  eval "$({_command("env", settings)})"
{first_requests(with_demo_data=settings.demo)}
Key of the organization {DEMO}, good for {KEY_DAYS} days: {_key_file(settings.db)}
{token}{log}
Ctrl-C ends server and Envoy."""


def _command(name: str, settings: Settings) -> str:
    """Return a command that works in any folder."""
    script = Path(sys.executable).with_name("vumeter")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "vumeter_server.cli"]
    file = ["--db", str(settings.db.resolve())] if settings.is_on_sqlite else []
    return shlex.join([*program, name, *file])
