"""`make run`: `vumeter up` for somebody who has nothing yet, not even a key.

Makes an admin token if none is set, starts server and Envoy, makes a key for the organization
`demo` and prints requests that work as they are printed. A key's secret can be shown only once, so
each start makes a key of its own, which expires.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
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

ORGANIZATION = "demo"
KEY_DAYS = 30
SIMULATION = "/sdk/api/v1/simulation"

TOKEN_VARIABLE = "VUMETER_ADMIN_TOKEN"  # noqa: S105 - the name, not the token


def main() -> None:
    """Run until Ctrl-C; exit as `vumeter up` does."""
    made_token = not os.environ.get(TOKEN_VARIABLE)
    if made_token:
        os.environ[TOKEN_VARIABLE] = secrets.token_urlsafe(32)
    try:
        with one_line_errors():
            settings = load_settings()
            sys.exit(run_supervisor(settings, on_ready=_greeting(settings, made_token)))
    except click.ClickException as error:
        click.echo(f"vumeter: {error.format_message()}", err=True)
        sys.exit(2)


def _greeting(
    settings: Settings, made_token: bool
) -> Callable[[Endpoints], Coroutine[Any, Any, None]]:
    async def greet(endpoints: Endpoints) -> None:
        await print_endpoints(endpoints)
        if settings.demo:
            await load_demo_data(settings, endpoints)
        key = await asyncio.to_thread(_make_key, settings)
        click.echo(_key_text(settings, key))
        if made_token and settings.admin_token is not None:
            click.echo(
                f"Admin token of this run, for X-Admin-Token (set {TOKEN_VARIABLE} to keep one):\n"
                f"  {settings.admin_token.get_secret_value()}\n"
            )
        click.echo(_requests_text(endpoints.rest_url, key))
        if settings.demo:
            await play_demo_data(settings, endpoints)

    return greet


def _make_key(settings: Settings) -> NewKey:
    administration = SqliteKeyAdministration(open_database(settings.db, create=False))
    expires_us = system_clock() + KEY_DAYS * 86_400_000_000
    return administration.create_key(ORGANIZATION, Role.OWNER, expires_us)


def _key_text(settings: Settings, key: NewKey) -> str:
    return f"""
Key of the organization {ORGANIZATION}, good for {KEY_DAYS} days and shown only now:
  {key.bearer}
Another one:
  .venv/bin/vumeter keys create --db {settings.db} --organization {ORGANIZATION} --role admin
"""


def _requests_text(url: str, key: NewKey) -> str:
    today = datetime.now(UTC).date()
    since, until = today - timedelta(days=13), today + timedelta(days=1)
    paths, span = f"{url}/v1/custom-metrics", f"startDate={since}&endDate={until}"
    return f"""Try, in another terminal:
  export AUTH='Authorization: Bearer {key.bearer}'
  curl -H "$AUTH" '{paths}' -H 'Content-Type: application/json' \\
    -d '{{"points": [{{"name": "booking_attempt", "tags": {{"origin": "phone"}}}}]}}'
  curl -H "$AUTH" '{paths}/names'
  curl -H "$AUTH" '{paths}/daily?metricNames=booking_attempt,booking_completed&{span}'
  curl -H "$AUTH" '{paths}/aggregate?metricNames=faq_query&{span}&groupBy=topic'
  curl -H "$AUTH" '{paths}/timeseries?metricName=e2e_latency_ms&{span}&step=1d'
  export ID='X-Api-Key: {key.key_id}' SECRET='X-Secret-Key: {key.secret}'
  curl -H "$ID" -H "$SECRET" '{url}{SIMULATION}/metrics/?run_test_name=My%20Agent%20Test&limit=3'

Ctrl-C ends server and Envoy."""


if __name__ == "__main__":
    main()
