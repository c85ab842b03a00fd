"""Watching a board: the current state first, then changes, at the watcher's pace."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

from vumeter_server.live_metrics.counters import Kind, counters
from vumeter_server.live_metrics.fold import State
from vumeter_server.live_metrics.live_view import Board, Change, Listing
from vumeter_server.live_metrics.watching import watch


def started(call_id: str, tenant_id: str = "clinic") -> Change:
    return Change(
        listings={call_id: Listing(tenant_id, State.ACTIVE)},
        totals={tenant_id: counters([(Kind.ACCEPTED, 1), (Kind.STARTED, 1)])},
    )


async def test_the_current_figures_come_first_and_then_every_change() -> None:
    board = Board()
    board.apply(started("call_1"))
    async with aclosing(watch(board, None, 10)) as figures:
        assert (await anext(figures)).active_calls == 1
        board.apply(started("call_2"))
        assert (await anext(figures)).active_calls == 2


async def test_many_changes_meanwhile_are_one_update_with_the_last_figures() -> None:
    board = Board()
    async with aclosing(watch(board, None, 10)) as figures:
        await anext(figures)
        for number in range(1_000):
            board.apply(started(f"call_{number}"))
        assert (await anext(figures)).active_calls == 1_000
        waiting = asyncio.ensure_future(anext(figures))
        assert not (await asyncio.wait([waiting], timeout=0.3))[0]
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_updates_keep_the_pace_and_the_last_one_is_the_true_state() -> None:
    board = Board()
    async with aclosing(watch(board, None, 5)) as figures:
        began = time.monotonic()
        seen = []
        for number in range(4):
            seen.append((await anext(figures)).active_calls)
            board.apply(started(f"call_{number}"))
        assert seen == [0, 1, 2, 3]
        assert time.monotonic() - began >= 3 / 5


async def test_a_watcher_of_a_tenant_hears_of_that_tenant_alone() -> None:
    board = Board()
    async with aclosing(watch(board, "garage", 10, keepalive_seconds=0.3)) as figures:
        assert (await anext(figures)).active_calls == 0
        board.apply(started("call_1", "clinic"))
        began = time.monotonic()
        assert (await anext(figures)).active_calls == 0
        assert time.monotonic() - began >= 0.3
        board.apply(started("call_2", "garage"))
        assert (await anext(figures)).active_calls == 1


async def test_a_change_that_is_not_counted_wakes_nobody() -> None:
    board = Board()
    with board.watching(None) as flag, board.watching("clinic") as of_tenant:
        board.apply(Change(listings={"call_1": Listing("clinic", State.PENDING)}, totals={}))
        assert not flag.is_set()
        assert not of_tenant.is_set()


async def test_a_watcher_that_has_gone_is_forgotten() -> None:
    board = Board()
    figures = watch(board, "nobody", 10)
    await anext(figures)
    await figures.aclose()
    assert board._tenants == {}
    assert board._all.flags == set()


async def test_watching_ends_when_the_server_stops() -> None:
    board = Board()

    async def all_of_them(tenant_id: str | None) -> int:
        return len([each async for each in watch(board, tenant_id, 10)])

    watchers = [asyncio.create_task(all_of_them(tenant)) for tenant in (None, "clinic")]
    await asyncio.sleep(0)
    board.close()
    assert await asyncio.wait_for(asyncio.gather(*watchers), 1) == [1, 1]
