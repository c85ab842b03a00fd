"""What the contract promises when storage fails, and when a caller goes away."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.conformance.failing import FAILURES
from tests.conformance.live_metrics.factories import Storage
from tests.live_metrics.making import event
from tests.live_metrics.stores import HOUR, MINUTE, NINE, history, lists, live, totals

from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics.history import Buckets
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import EventType
from vumeter_server.live_metrics.store import LiveStore

T = EventType


async def everything(store: LiveStore, view: LiveView) -> object:
    """All that can be seen."""
    return (
        live(view),
        await history(store, None, NINE, NINE + HOUR, MINUTE),
        await store.tenants("", 10_000),
    )


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_storage_cannot_take_is_unavailable_and_changes_nothing(
    storage: Storage, failure: str
) -> None:
    # More than fits into the pages that a file has.
    large = [
        event(kind, f"call_{number:04}" + "c" * 200, at=number, tenant_id=f"tenant_{number:04}")
        for number in range(1_000)
        for kind in (T.ACCEPTED, T.STARTED, T.ENDED)[: 1 + number % 3]
    ]
    async with storage.store() as (store, view):
        await store.record([event(T.STARTED), event(T.PENDING, "call_2")])
        before = await everything(store, view)
        async with storage.failures[failure]():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await store.record(large)
                # Queries go on, and no follower was told.
                assert await everything(store, view) == before
            if failure == "locked":
                with pytest.raises(Unavailable):
                    await store.set_limit("clinic", 3)
                with pytest.raises(Unavailable):
                    await store.close_stuck(storage.clock.now_us)
                with pytest.raises(Unavailable):
                    await store.drop_received_before(storage.clock.now_us + 1)
        assert await everything(store, view) == before
        assert await everything(store, await LiveView.of(store)) == before
        # The same call can be made again.
        await store.record(large)
        await store.set_limit("clinic", 3)
        assert totals(view)["accepted_calls"] == 1_001
        after = await everything(store, view)
        assert await everything(store, await LiveView.of(store)) == after
    async with storage.store() as (store, view):
        assert await everything(store, view) == after


async def test_a_write_whose_caller_has_gone_is_there_whole_or_not_and_can_be_repeated(
    storage: Storage,
) -> None:
    async with storage.store() as (store, view):
        for turns in range(30):
            call = f"call_{turns}"
            batch = [event(T.ACCEPTED, call), event(T.STARTED, call, at=1)]
            writing = asyncio.ensure_future(store.record(batch))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
            # It may still be stored, now or a moment later: whole.
            assert lists(view).get(call) in (None, ("clinic", "active"))
            await store.record(batch)
            assert lists(view)[call] == ("clinic", "active")
            assert totals(view)["started_calls"] == totals(view)["accepted_calls"] == turns + 1
        assert live(view) == live(await LiveView.of(store))


@pytest.mark.parametrize("turns", [0, 1, 30])
async def test_queries_whose_callers_have_gone_leave_all_others_their_answers(
    storage: Storage, turns: int
) -> None:
    async with storage.store() as (store, view):
        await store.record(
            [event(T.STARTED, f"call_{number}", at=number) for number in range(1_000)]
        )
        before = await everything(store, view)
        buckets = Buckets(start_us=NINE, end_us=NINE + HOUR, step_us=MINUTE)

        async def gone(number: int) -> None:
            asked: asyncio.Future[object] = asyncio.ensure_future(
                store.tenants("", 10) if number % 3 else store.history(None, buckets)
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            asked.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asked

        # More than there are threads.
        await asyncio.gather(*map(gone, range(12)))
        assert await everything(store, view) == before
