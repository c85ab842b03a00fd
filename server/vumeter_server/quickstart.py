"""`make run`: `vumeter up` for somebody who has nothing yet, not even a key.

Creates an admin token if none is set, starts server and Envoy, creates a key of the organization
`demo` and prints requests that work as they are printed. Token and key are kept beside the
database, in files that only this user can read, and the next start takes them again.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.access.store import KeyState
from vumeter_server.commands.options import one_line_errors
from vumeter_server.commands.up import (
    load_demo_data,
    play_demo_data,
    print_endpoints,
    run_supervisor,
)
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.settings import Settings, load_settings
from vumeter_server.sqlite import open_database
from vumeter_server.supervisor.endpoints import Endpoints
from vumeter_server.times.units import DAY_US

ORGANIZATION = "demo"
KEY_DAYS = 30
SIMULATION = "/sdk/api/v1/simulation"

TOKEN_VARIABLE = "VUMETER_ADMIN_TOKEN"  # noqa: S105 - the name, not the token


def main() -> None:
    """Run until Ctrl-C; exit as `vumeter up` does."""
    try:
        with one_line_errors():
            is_kept = not os.environ.get(TOKEN_VARIABLE)
            if is_kept:
                os.environ[TOKEN_VARIABLE] = kept_admin_token(_database().parent)
            settings = load_settings()
            sys.exit(run_supervisor(settings, on_ready=_greeting(settings, is_kept)))
    except click.ClickException as error:
        click.echo(f"vumeter: {error.format_message()}", err=True)
        sys.exit(2)


def kept_admin_token(folder: Path) -> str:
    """Return the admin token that is kept in a folder; create it if there is none."""
    path = folder / "admin-token"
    if not path.exists():
        _write_for_this_user(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _database() -> Path:
    return Path(os.environ.get("VUMETER_DB") or Settings.model_fields["db"].default)


def _write_for_this_user(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")


def _greeting(
    settings: Settings, is_kept: bool
) -> Callable[[Endpoints], Coroutine[Any, Any, None]]:
    async def greet(endpoints: Endpoints) -> None:
        await print_endpoints(endpoints)
        if settings.demo:
            await load_demo_data(settings, endpoints)
        key = await asyncio.to_thread(_kept_key, settings)
        click.echo(_key_text(settings, key))
        if is_kept and settings.admin_token is not None:
            click.echo(
                f"Admin token, for X-Admin-Token, kept in {settings.db.parent / 'admin-token'}:\n"
                f"  {settings.admin_token.get_secret_value()}\n"
            )
        click.echo(_requests_text(endpoints.rest_url, key, with_demo_data=settings.demo))
        if settings.demo:
            await play_demo_data(settings, endpoints)

    return greet


def _key_file(settings: Settings) -> Path:
    return settings.db.with_name(f"{settings.db.stem}.demo-key")


def _kept_key(settings: Settings) -> NewKey:
    """Return the key of an earlier start if it is good for another day, otherwise a new one."""
    administration = SqliteKeyAdministration(open_database(settings.db, create=False))
    path = _key_file(settings)
    if path.exists():
        key_id, _, secret = path.read_text().strip().partition(".")
        tomorrow_us = system_clock() + DAY_US
        for found in administration.list_keys():
            if found.key_id == key_id and found.state_at(tomorrow_us) is KeyState.GOOD:
                return NewKey(key_id=key_id, secret=secret)
    key = administration.create_key(ORGANIZATION, Role.OWNER, system_clock() + KEY_DAYS * DAY_US)
    _write_for_this_user(path, key.bearer)
    return key


def _key_text(settings: Settings, key: NewKey) -> str:
    file = _key_file(settings)
    return f"""
Key of the organization {ORGANIZATION}, good for at most {KEY_DAYS} days, kept in {file}:
  {key.bearer}
Another one:
  .venv/bin/vumeter keys create --db {settings.db} --organization {ORGANIZATION} --role admin
"""


def _requests_text(url: str, key: NewKey, *, with_demo_data: bool) -> str:
    today = datetime.now(UTC).date()
    since, until = today - timedelta(days=13), today + timedelta(days=1)
    paths, span = f"{url}/v1/custom-metrics", f"startDate={since}&endDate={until}"
    more = f"""
  curl -H "$AUTH" '{paths}/aggregate?metricNames=faq_query&{span}&groupBy=topic'
  curl -H "$AUTH" '{paths}/timeseries?metricName=e2e_latency_ms&{span}&step=1d'
  export ID='X-Api-Key: {key.key_id}' SECRET='X-Secret-Key: {key.secret}'
  curl -H "$ID" -H "$SECRET" '{url}{SIMULATION}/metrics/?run_test_name=My%20Agent%20Test&limit=3'"""
    if not with_demo_data:
        more = ""
    return f"""Try, in another terminal:
  export AUTH='Authorization: Bearer {key.bearer}'
  curl -H "$AUTH" '{paths}' -H 'Content-Type: application/json' \\
    -d '{{"points": [{{"name": "booking_attempt", "tags": {{"origin": "phone"}}}}]}}'
  curl -H "$AUTH" '{paths}/names'
  curl -H "$AUTH" '{paths}/daily?metricNames=booking_attempt,booking_completed&{span}'{more}

Ctrl-C ends server and Envoy."""


if __name__ == "__main__":
    main()
