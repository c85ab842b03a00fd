"""Demo data put on the stage: loaded, extended at each start, played while the server runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import click
import grpc.aio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vumeter_server.access.organizations import DEMO as ORGANIZATION
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.demo.families import DEMOS
from vumeter_server.demo.sqlite import SqliteDemoRecord
from vumeter_server.demo.stage import Demo, DemoError, ShowProgress, Stage
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.runtime.settings import Settings
from vumeter_server.sqlite import Database, DatabaseError, open_database
from vumeter_server.times.units import DAY_US, HOUR_US

# Within this time an idempotency key is sure to be remembered, so that continuing doubles nothing.
CONTINUED_WITHIN_US = DAY_US
KEY_GOOD_FOR_US = HOUR_US


async def load_demo(
    settings: Settings,
    grpc_target: str,
    *,
    demos: Sequence[Demo] = DEMOS,
    clock: Clock = system_clock,
) -> None:
    """Give the database the demo data that it never had or lacks since, with a progress bar.

    What goes wrong is one line on stderr: the product runs without its demo data too.
    """
    if not settings.is_on_sqlite:
        click.echo("vumeter: there is no demo data for ClickHouse", err=True)
        return
    try:
        database = await asyncio.to_thread(open_database, settings.db, create=False)
        record = SqliteDemoRecord(database)
        for demo in demos:
            await _load(demo, settings, grpc_target, database, record, clock)
    except (DemoError, DatabaseError, grpc.aio.AioRpcError) as error:
        click.echo(f"vumeter: demo data is incomplete: {_reason(error)}", err=True)


async def play_demo(
    settings: Settings,
    grpc_target: str,
    *,
    demos: Sequence[Demo] = DEMOS,
    clock: Clock = system_clock,
) -> None:
    """Play what is to be watched until cancelled; returns at once if there is nothing."""
    stage = _stage(settings, grpc_target, begun_us=clock())
    playing = [demo.play(stage) for demo in demos if demo.play is not None]
    try:
        await asyncio.gather(*playing)
    except (DemoError, grpc.aio.AioRpcError) as error:
        click.echo(f"vumeter: demo data ended: {_reason(error)}", err=True)


async def _load(
    demo: Demo,
    settings: Settings,
    grpc_target: str,
    database: Database,
    record: SqliteDemoRecord,
    clock: Clock,
) -> None:
    if demo.load is None:
        return
    now_us = clock()
    # Who deleted the organization wants no more of it.
    is_there = await asyncio.to_thread(_is_organization_there, database)
    loading = await asyncio.to_thread(record.begin, demo.family, now_us, extends=is_there)
    if loading is None:
        return
    until_us = loading.begun_us
    if now_us - loading.begun_us < CONTINUED_WITHIN_US:
        stage = replace(
            _stage(settings, grpc_target, begun_us=loading.begun_us), from_us=loading.from_us
        )
        async with _key(database) as bearer:
            with _progress(demo) as show:
                loaded = await demo.load(replace(stage, bearer=bearer), show)
        if loaded:
            click.echo(f"Demo data: {loaded:,} {demo.what} of the organization {ORGANIZATION}")
    else:
        # How far it came is not known any more; what comes after is.
        until_us = now_us
    await asyncio.to_thread(record.finish, demo.family, clock(), until_us=until_us)


def _is_organization_there(database: Database) -> bool:
    return SqliteKeyAdministration(database).organization_id(ORGANIZATION) is not None


def _stage(settings: Settings, grpc_target: str, *, begun_us: int) -> Stage:
    token = settings.admin_token
    return Stage(
        grpc_target=grpc_target,
        bearer="",
        admin_token=token.get_secret_value() if token is not None else "",
        begun_us=begun_us,
    )


@contextlib.asynccontextmanager
async def _key(database: Database) -> AsyncIterator[str]:
    administration = SqliteKeyAdministration(database)
    key = await asyncio.to_thread(
        administration.create_key, ORGANIZATION, Role.ADMIN, system_clock() + KEY_GOOD_FOR_US
    )
    try:
        yield key.bearer
    finally:
        administration.revoke_key(key.key_id)


@contextlib.contextmanager
def _progress(demo: Demo) -> Iterator[ShowProgress]:
    console = Console(stderr=True)
    columns = (TextColumn("Demo data"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(demo.family, total=1.0)
        yield lambda part: progress.update(task, completed=part)


def _reason(error: Exception) -> str:
    return (error.details() if isinstance(error, grpc.aio.AioRpcError) else None) or str(error)
