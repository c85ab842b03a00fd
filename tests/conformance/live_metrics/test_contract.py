"""What the contract promises of one write after another, each promise once per store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.conformance.live_metrics.factories import Storage
from tests.live_metrics.making import event
from tests.live_metrics.stores import (
    HOUR,
    MINUTE,
    NINE,
    SECOND,
    history,
    lists,
    live,
    totals,
)

from vumeter_server.errors import Conflict, PermissionDenied
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import CallOutcome, EventType
from vumeter_server.live_metrics.store import Tenant

T = EventType
DAY = 24 * HOUR
NOTHING = dict.fromkeys(COLUMNS, 0)


async def test_a_repeat_is_harmless_and_other_content_under_its_id_is_a_conflict(
    storage: Storage,
) -> None:
    first = event(T.STARTED, event_id="e1")
    async with storage.store() as (store, view):
        await store.record([first])
        await store.record([first, first])
        with pytest.raises(Conflict, match=r"events\[1\]\.event_id"):
            await store.record(
                [event(T.STARTED, "call_2"), event(T.STARTED, "call_3", event_id="e1")]
            )
        assert totals(view)["started_calls"] == 1
        assert lists(view) == {"call_1": ("clinic", "active")}


async def test_two_contents_under_one_id_in_one_batch_are_a_conflict(storage: Storage) -> None:
    async with storage.store() as (store, view):
        with pytest.raises(Conflict):
            await store.record(
                [event(T.AUDIO, minutes=1, event_id="e"), event(T.AUDIO, minutes=2, event_id="e")]
            )
        assert totals(view) == NOTHING


async def test_totals_restart_with_a_launch_and_lists_survive_it(storage: Storage) -> None:
    async with storage.store("epoch-1") as (store, view):
        await store.record(
            [event(T.STARTED, "call_1"), event(T.PENDING, "call_2"), event(T.ACCEPTED, "call_3")]
        )
        before = lists(view)
    async with storage.store("epoch-1") as (store, view):
        assert totals(view)["accepted_calls"] == 2
    async with storage.store("epoch-2") as (store, view):
        assert totals(view) == NOTHING
        assert lists(view) == before
        assert view.values("clinic").active_calls == 1
        await store.record([event(T.ENDED, "call_1", at=90)])
        counted = totals(view)
        assert (counted["started_calls"], counted["ended_calls"]) == (0, 1)
        assert counted["minutes_ms"] == 90_000


async def test_a_call_of_which_nothing_is_heard_is_closed_as_an_event_of_its_own(
    storage: Storage,
) -> None:
    storage.clock.now_us = NINE
    async with storage.store() as (store, view):
        await store.record([event(T.STARTED, "call_1"), event(T.AUDIO, "call_1", minutes=2)])
        await store.record([event(T.PENDING, "call_2")])
        storage.clock.now_us = NINE + HOUR
        await store.record([event(T.STARTED, "call_3", at=3600)])
        storage.clock.now_us = NINE + 4 * HOUR
        assert await store.close_stuck(storage.clock.now_us - 4 * HOUR) == 2
        assert await store.close_stuck(storage.clock.now_us - 4 * HOUR) == 0
        assert lists(view) == {"call_3": ("clinic", "active")}
        counted = totals(view)
        assert (counted["ended_calls"], counted["failed_calls"]) == (1, 1)
        assert counted["minutes_ms"] == 120_000
        (bucket,) = await history(
            store, "clinic", NINE + 4 * HOUR, NINE + 4 * HOUR + MINUTE, MINUTE
        )
        assert (bucket["ended_calls"], bucket["failed_calls"]) == (1, 1)
    async with storage.store() as (store, view):
        # A real end replaces outcome and minutes and counts nothing twice.
        await store.record([event(T.ENDED, "call_1", at=600, minutes=10)])
        counted = totals(view)
        assert (counted["ended_calls"], counted["failed_calls"]) == (1, 0)
        assert counted["minutes_ms"] == 600_000
        (bucket,) = await history(
            store, "clinic", NINE + 4 * HOUR, NINE + 4 * HOUR + MINUTE, MINUTE
        )
        assert (bucket["ended_calls"], bucket["active_calls"]) == (0, 1)


async def test_a_pending_call_comes_back_when_something_is_heard_of_it(storage: Storage) -> None:
    async with storage.store() as (store, view):
        await store.record([event(T.PENDING, "call_1")])
        storage.clock.now_us += 5 * HOUR
        await store.close_stuck(storage.clock.now_us - 4 * HOUR)
        assert lists(view) == {}
    async with storage.store() as (store, view):
        assert lists(view) == {}
        await store.record([event(T.PENDING, "call_1", at=5)])
        assert lists(view) == {"call_1": ("clinic", "pending")}


async def test_tenants_are_listed_with_their_last_event_and_limit(storage: Storage) -> None:
    async with storage.store() as (store, view):
        await store.record([event(T.STARTED, at=90, tenant_id="b")])
        received = storage.clock.now_us
        storage.clock.now_us += SECOND
        await store.record([event(T.AUDIO, at=30, tenant_id="b", minutes=1)])
        await store.set_limit("a", 25)
        await store.set_limit("b", 0)
        assert view.limit("a") == 25
        expected = [
            Tenant(
                tenant_id="a", last_occurred_us=None, last_received_us=None, max_concurrent_calls=25
            ),
            Tenant(
                tenant_id="b",
                last_occurred_us=NINE + 90 * SECOND,
                last_received_us=received + SECOND,
                max_concurrent_calls=0,
            ),
        ]
        assert await store.tenants("", 10) == expected
        assert await store.tenants("", 1) == expected[:1]
        assert await store.tenants("a", 1) == expected[1:]
    async with storage.store() as (store, view):
        assert (view.limit("a"), view.limit("b"), view.limit("c")) == (25, 0, None)
        tenant = await store.set_limit("b", None)
        assert tenant.max_concurrent_calls is None
        assert view.limit("b") is None


async def test_an_empty_batch_changes_nothing(storage: Storage) -> None:
    async with storage.store() as (store, view):
        await store.record([])
        assert totals(view) == NOTHING
        assert await store.tenants("", 10) == []


async def test_a_repeat_does_not_count_as_heard_from_a_call_or_its_tenant(
    storage: Storage,
) -> None:
    started = event(T.STARTED)
    async with storage.store() as (store, view):
        received_us = storage.clock.now_us
        await store.record([started])
        storage.clock.now_us += HOUR
        await store.record([started])
        (tenant,) = await store.tenants("", 10)
        assert tenant.last_received_us == received_us
        assert await store.close_stuck(received_us) == 1
        assert lists(view) == {}


async def test_a_conflict_in_a_later_batch_names_the_event_and_changes_nothing(
    storage: Storage,
) -> None:
    async with storage.store() as (store, view):
        await store.record([event(T.ENDED, event_id="e1", at=60, minutes=1)])
        before = totals(view), await store.tenants("", 10)
        for other in (
            event(T.ENDED, event_id="e1", at=60, minutes=2),
            event(T.ENDED, event_id="e1", at=61, minutes=1),
            event(T.ENDED, "call_2", event_id="e1", at=60, minutes=1),
            event(T.ENDED, event_id="e1", at=60, minutes=1, tenant_id="garage"),
            event(T.ENDED, event_id="e1", at=60, minutes=1, outcome=CallOutcome.FAILED),
            event(T.ENDED, event_id="e1", at=60, minutes=1, sequence=0),
            event(T.AUDIO, event_id="e1", at=60, minutes=1),
            event(T.FALLBACK_INSTRUCTIONS_USED, event_id="e1", at=60),
        ):
            with pytest.raises(Conflict, match=r"events\[1\]\.event_id"):
                await store.record([event(T.STARTED, "call_9", tenant_id="new"), other])
        assert (totals(view), await store.tenants("", 10)) == before


async def test_an_event_of_another_tenants_call_is_refused_to_whoever_is_for_one_tenant(
    storage: Storage,
) -> None:
    async with storage.store() as (store, view):
        await store.record([event(T.STARTED, event_id="e1"), event(T.ENDED, "call_2")])
        before = totals(view), await store.tenants("", 10)
        for call_id in ("call_1", "call_2"):
            foreign = event(T.ENDED, call_id, tenant_id="garage")
            for batch in ([foreign], [event(T.STARTED, "new", tenant_id="garage"), foreign]):
                with pytest.raises(PermissionDenied):
                    await store.record(batch, "garage")
        # What is refused tells nothing of ids that others used.
        with pytest.raises(PermissionDenied):
            await store.record([event(T.STARTED, event_id="e1", tenant_id="garage")], "garage")
        assert (totals(view), await store.tenants("", 10)) == before
        await store.record([event(T.AUDIO, minutes=1)], "clinic")
        await store.record([event(T.STARTED, "call_3", tenant_id="garage")], "garage")
        assert lists(view) == {"call_1": ("clinic", "active"), "call_3": ("garage", "active")}
        # Once a call and its events are dropped, its id is nobody's.
        storage.clock.now_us += DAY
        await store.drop_received_before(storage.clock.now_us)
        await store.record([event(T.STARTED, "call_2", tenant_id="garage")], "garage")
        assert lists(view)["call_2"] == ("garage", "active")


async def test_a_call_is_that_tenants_whose_event_comes_first_also_for_who_may_report_it(
    storage: Storage,
) -> None:
    async with storage.store() as (store, _view):
        await store.record([event(T.STARTED, at=5, sequence=2)])
        await store.record([event(T.AUDIO, at=9, minutes=1)], "clinic")
        await store.record([event(T.PENDING, at=5, sequence=1, tenant_id="garage")])
        with pytest.raises(PermissionDenied):
            await store.record([event(T.AUDIO, at=20, minutes=2)], "clinic")
        await store.record([event(T.AUDIO, at=20, minutes=2, tenant_id="garage")], "garage")


async def test_the_id_of_a_dropped_event_is_free_again(storage: Storage) -> None:
    async with storage.store() as (store, view):
        await store.record([event(T.FALLBACK_INSTRUCTIONS_USED, event_id="e1")])
        storage.clock.now_us += DAY
        await store.drop_received_before(storage.clock.now_us)
        await store.record([event(T.INSTRUCTIONS_DB_ERROR, event_id="e1")])
        counted = totals(view)
        assert counted["fallback_instructions_used"] == counted["instructions_db_errors"] == 1
        (bucket,) = await history(store, None, NINE, NINE + HOUR, HOUR)
        assert bucket["fallback_instructions_used"] == 0
        assert bucket["instructions_db_errors"] == 1


async def test_whoever_follows_late_gets_everything_and_then_each_change(
    storage: Storage,
) -> None:
    async with storage.store() as (store, view):
        await store.record([event(T.STARTED), event(T.PENDING, "call_2", tenant_id="garage")])
        await store.set_limit("clinic", 3)
        late = await LiveView.of(store)
        assert live(late) == live(view)
        await store.record([event(T.ENDED, at=60), event(T.ACCEPTED, "call_2", at=5)])
        await store.set_limit("clinic", None)
        assert live(late) == live(view)
        assert late.limit("clinic") is None


async def test_records_at_the_same_time_leave_the_view_equal_to_what_is_stored(
    storage: Storage,
) -> None:
    # Starts and ends of the same calls: the lists depend on the order of the commits.
    kinds = (T.PENDING, T.ACCEPTED, T.STARTED, T.ENDED)
    async with storage.store() as (store, view):
        for round_ in range(5):
            writes: list[Coroutine[Any, Any, object]] = [
                store.record([event(kind, f"call_{round_}_{number % 7}", at=number)])
                for number in range(40)
                for kind in kinds[: 1 + number % 4]
            ]
            writes.append(store.close_stuck(storage.clock.now_us))
            random.Random(round_).shuffle(writes)
            await asyncio.gather(*writes, store.set_limit("clinic", round_))
            assert view.limit("clinic") == round_
            assert live(view) == live(await LiveView.of(store))


async def test_the_view_shows_a_write_before_its_caller_is_answered(storage: Storage) -> None:
    async with storage.store() as (store, view):

        async def record(number: int) -> bool:
            await store.record([event(T.STARTED, f"call_{number}")])
            return f"call_{number}" in lists(view)

        assert all(await asyncio.gather(*map(record, range(50))))


async def test_the_view_shows_a_write_whose_caller_has_gone(storage: Storage) -> None:
    async with storage.store() as (store, view):
        for number in range(20):
            writing = asyncio.create_task(store.record([event(T.STARTED, f"call_{number}")]))
            for _ in range(number % 5):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        # Written after all of them.
        await store.record([event(T.STARTED, "call_last")])
        assert live(view) == live(await LiveView.of(store))
    async with storage.store() as (_, again):
        assert live(view) == live(again)
