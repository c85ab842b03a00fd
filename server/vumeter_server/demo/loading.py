"""Demo data put on the stage: loaded, extended at each start, played while the server runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import click
import grpc.aio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vumeter_server.access.organizations import DEMO as ORGANIZATION
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyAdministration
from vumeter_server.demo.families import DEMOS
from vumeter_server.demo.record import DemoStore, Loading
from vumeter_server.demo.stage import Demo, DemoError, Load, ShowProgress, Stage, failure
from vumeter_server.demo.turns import (
    LOOKS_EVERY_SECONDS,
    NOT_NOW,
    RETRY_AFTER_SECONDS,
    asked,
    having_turn,
)
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.runtime.patience import patiently
from vumeter_server.runtime.settings import Settings
from vumeter_server.times.units import DAY_US, HOUR_US

T = TypeVar("T")

# Within this time an idempotency key is sure to be remembered, so that continuing doubles nothing.
CONTINUED_WITHIN_US = DAY_US
KEY_GOOD_FOR_US = HOUR_US


async def load_demo(
    settings: Settings,
    grpc_target: str,
    store: DemoStore,
    *,
    demos: Sequence[Demo] = DEMOS,
    clock: Clock = system_clock,
) -> None:
    """Give a store the demo data that it never had or lacks since, with a progress bar.

    Of several servers one loads it, and the others wait until it is there. What goes wrong is one
    line on stderr: the product runs without its demo data too.
    """
    stage = _stage(settings, grpc_target, begun_us=clock())
    try:
        for demo in demos:
            if demo.load is not None:
                waiting = partial(_say_waiting, demo)
                async with having_turn(store.demo, f"load {demo.family}", on_wait=waiting):
                    await _load(demo, demo.load, stage, store, clock)
    except (DemoError, *NOT_NOW) as error:
        say_incomplete(error)


def say_incomplete(error: Exception) -> None:
    """Say why demo data could not be loaded."""
    click.echo(f"vumeter: demo data is incomplete: {error}", err=True)


async def play_demo(
    settings: Settings,
    grpc_target: str,
    store: DemoStore,
    *,
    demos: Sequence[Demo] = DEMOS,
    clock: Clock = system_clock,
) -> None:
    """Play what is to be watched until cancelled; returns at once if there is nothing.

    Of several servers one plays, and when it ends the next one does.
    """
    stage = _stage(settings, grpc_target, begun_us=clock())
    playing = [
        _play(partial(demo.play, stage), f"play {demo.family}", store)
        for demo in demos
        if demo.play is not None
    ]
    try:
        await asyncio.gather(*playing)
    except DemoError as error:
        click.echo(f"vumeter: demo data ended: {error}", err=True)


async def _play(play: Callable[[], Coroutine[Any, Any, None]], turn: str, store: DemoStore) -> None:
    """Play whenever it is this process's turn, and again after the store did not answer."""
    while True:
        try:
            async with having_turn(store.demo, turn) as lost:
                playing = asyncio.create_task(_told(play))
                try:
                    await asyncio.wait({playing, lost}, return_when=asyncio.FIRST_COMPLETED)
                    if playing.done():
                        return playing.result()
                finally:
                    playing.cancel()
                    await asyncio.wait({playing})
        except NOT_NOW:
            pass
        await asyncio.sleep(LOOKS_EVERY_SECONDS)


async def _load(
    demo: Demo,
    load: Load,
    stage: Stage,
    store: DemoStore,
    clock: Clock,
) -> None:
    now_us = clock()
    # Who deleted the organization wants no more of it.
    organization_id = await asked(lambda: store.keys.organization_id(ORGANIZATION))
    loading = await asked(
        lambda: store.demo.begin(demo.family, now_us, extends=organization_id is not None)
    )
    if loading is None:
        return
    until_us = loading.begun_us
    if now_us - loading.begun_us < CONTINUED_WITHIN_US:
        async with _key(store.keys) as bearer:
            with _progress(demo) as show:
                loaded = await _loaded(load, replace(stage, bearer=bearer), loading, show)
        if loaded:
            click.echo(f"Demo data: {loaded:,} {demo.what} of the organization {ORGANIZATION}")
    else:
        # How far it came is not known any more; what comes after is.
        until_us = now_us
    await asked(lambda: store.demo.finish(demo.family, clock(), until_us=until_us))


async def _loaded(
    load: Load,
    stage: Stage,
    loading: Loading,
    show: ShowProgress,
) -> int:
    begun = replace(stage, begun_us=loading.begun_us, from_us=loading.from_us)
    return await patiently(lambda: _told(lambda: load(begun, show)), RETRY_AFTER_SECONDS)


async def _told(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do what calls the server. Raises DemoError, or Unavailable if it may be done again."""
    try:
        return await work()
    except grpc.aio.AioRpcError as error:
        raise failure(error.code().value[0], error.details() or str(error)) from error


def _say_waiting(demo: Demo) -> None:
    click.echo(f"Demo data: another server loads {demo.what}; waiting until they are there")


def _stage(settings: Settings, grpc_target: str, *, begun_us: int) -> Stage:
    token = settings.admin_token
    return Stage(
        grpc_target=grpc_target,
        bearer="",
        admin_token=token.get_secret_value() if token is not None else "",
        begun_us=begun_us,
    )


@contextlib.asynccontextmanager
async def _key(keys: KeyAdministration) -> AsyncIterator[str]:
    key = await asked(
        lambda: keys.create_key(ORGANIZATION, Role.ADMIN, system_clock() + KEY_GOOD_FOR_US)
    )
    try:
        yield key.bearer
    finally:
        # A store that is busy leaves it to its expiry.
        with contextlib.suppress(*NOT_NOW):
            await asyncio.to_thread(keys.revoke_key, key.key_id)


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
