"""Watching a view: the current state first, then changes, at the watcher's pace."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.counters import Counter, counters
from vumeter_server.live_metrics.fold import Change, Listing
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.watching import watch


def started(call_id: str, tenant_id: str = "clinic") -> Change:
    return Change(
        listings={call_id: Listing(tenant_id, CallStage.ACTIVE)},
        totals={tenant_id: counters([(Counter.ACCEPTED, 1), (Counter.STARTED, 1)])},
    )


async def test_the_current_figures_come_first_and_then_every_change() -> None:
    view = LiveView()
    view.apply(started("call_1"))
    async with aclosing(watch(view, None, 10)) as values:
        assert (await anext(values)).active_calls == 1
        view.apply(started("call_2"))
        assert (await anext(values)).active_calls == 2


async def test_many_changes_meanwhile_are_one_update_with_the_last_figures() -> None:
    view = LiveView()
    async with aclosing(watch(view, None, 10)) as values:
        await anext(values)
        for number in range(1_000):
            view.apply(started(f"call_{number}"))
        assert (await anext(values)).active_calls == 1_000
        waiting = asyncio.ensure_future(anext(values))
        assert not (await asyncio.wait([waiting], timeout=0.3))[0]
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_updates_keep_the_pace_and_the_last_one_is_the_true_state() -> None:
    view = LiveView()
    async with aclosing(watch(view, None, 5)) as values:
        began = time.monotonic()
        seen = []
        for number in range(4):
            seen.append((await anext(values)).active_calls)
            view.apply(started(f"call_{number}"))
        assert seen == [0, 1, 2, 3]
        assert time.monotonic() - began >= 3 / 5


async def test_a_watcher_of_a_tenant_hears_of_that_tenant_alone() -> None:
    view = LiveView()
    async with aclosing(watch(view, "garage", 10, keepalive_seconds=0.3)) as values:
        assert (await anext(values)).active_calls == 0
        view.apply(started("call_1", "clinic"))
        began = time.monotonic()
        assert (await anext(values)).active_calls == 0
        assert time.monotonic() - began >= 0.3
        view.apply(started("call_2", "garage"))
        assert (await anext(values)).active_calls == 1


async def test_a_change_that_is_not_counted_wakes_nobody() -> None:
    view = LiveView()
    with view.watching(None) as flag, view.watching("clinic") as of_tenant:
        view.apply(Change(listings={"call_1": Listing("clinic", CallStage.PENDING)}, totals={}))
        assert not flag.is_set()
        assert not of_tenant.is_set()


async def test_a_watcher_that_has_gone_is_forgotten() -> None:
    view = LiveView()
    values = watch(view, "nobody", 10)
    await anext(values)
    await values.aclose()
    assert view._tenants == {}
    assert view._all.flags == set()


async def test_watching_ends_when_the_server_stops() -> None:
    view = LiveView()

    async def all_of_them(tenant_id: str | None) -> int:
        return len([each async for each in watch(view, tenant_id, 10)])

    watchers = [asyncio.create_task(all_of_them(tenant)) for tenant in (None, "clinic")]
    await asyncio.sleep(0)
    view.close()
    assert await asyncio.wait_for(asyncio.gather(*watchers), 1) == [1, 1]
