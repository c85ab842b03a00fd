"""The store on its file: all or nothing, restarts, stuck calls, retention, limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.live_metrics.making import event
from tests.live_metrics.stores import (
    HOUR,
    MINUTE,
    NINE,
    SECOND,
    ground,
    history,
    lists,
    totals,
)

from vumeter_server.errors import Conflict, Unavailable
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.model import CallOutcome, EventType
from vumeter_server.live_metrics.sqlite import retention
from vumeter_server.live_metrics.sqlite import store as store_module
from vumeter_server.live_metrics.sqlite.write_batch import Booking
from vumeter_server.live_metrics.store import Tenant
from vumeter_server.sqlite.library import sqlite3

T = EventType
DAY = 24 * HOUR
NOTHING = dict.fromkeys(COLUMNS, 0)


async def test_a_repeat_is_harmless_and_other_content_under_its_id_is_a_conflict(
    tmp_path: Path,
) -> None:
    first = event(T.STARTED, event_id="e1")
    async with ground(tmp_path).store() as store:
        await store.record([first])
        await store.record([first, first])
        with pytest.raises(Conflict, match=r"events\[1\]\.event_id"):
            await store.record(
                [event(T.STARTED, "call_2"), event(T.STARTED, "call_3", event_id="e1")]
            )
        assert totals(store.board)["started_calls"] == 1
        assert lists(store.board) == {"call_1": ("clinic", "active")}


async def test_two_contents_under_one_id_in_one_batch_are_a_conflict(tmp_path: Path) -> None:
    async with ground(tmp_path).store() as store:
        with pytest.raises(Conflict):
            await store.record(
                [event(T.AUDIO, minutes=1, event_id="e"), event(T.AUDIO, minutes=2, event_id="e")]
            )
        assert totals(store.board) == NOTHING


async def test_a_batch_that_cannot_be_committed_leaves_neither_figures_nor_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path).store() as store:
        await store.record([event(T.STARTED, "call_1")])
        merge = Booking.merge

        def merge_and_fail(booking: Booking) -> None:
            merge(booking)
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(Booking, "merge", merge_and_fail)
        with pytest.raises(Unavailable):
            await store.record([event(T.STARTED, "call_2"), event(T.ENDED, "call_1")])
        monkeypatch.undo()
        assert lists(store.board) == {"call_1": ("clinic", "active")}
        await store.record([event(T.STARTED, "call_3")])
        assert lists(store.board) == {
            "call_1": ("clinic", "active"),
            "call_3": ("clinic", "active"),
        }
        assert totals(store.board)["started_calls"] == 2


async def test_totals_restart_with_a_launch_and_lists_survive_it(tmp_path: Path) -> None:
    land = ground(tmp_path)
    async with land.store("launch-1") as store:
        await store.record(
            [event(T.STARTED, "call_1"), event(T.PENDING, "call_2"), event(T.ACCEPTED, "call_3")]
        )
        before = lists(store.board)
    async with land.store("launch-1") as store:
        assert totals(store.board)["accepted_calls"] == 2
    async with land.store("launch-2") as store:
        assert totals(store.board) == NOTHING
        assert lists(store.board) == before
        assert store.board.figures("clinic").active_calls == 1
        await store.record([event(T.ENDED, "call_1", at=90)])
        counted = totals(store.board)
        assert (counted["started_calls"], counted["ended_calls"]) == (0, 1)
        assert counted["minutes_ms"] == 90_000


async def test_a_call_of_which_nothing_is_heard_is_closed_as_an_event_of_its_own(
    tmp_path: Path,
) -> None:
    land = ground(tmp_path)
    land.clock.now_us = NINE
    async with land.store() as store:
        await store.record([event(T.STARTED, "call_1"), event(T.AUDIO, "call_1", minutes=2)])
        await store.record([event(T.PENDING, "call_2")])
        land.clock.now_us = NINE + HOUR
        await store.record([event(T.STARTED, "call_3", at=3600)])
        land.clock.now_us = NINE + 4 * HOUR
        assert await store.close_stuck(land.clock.now_us - 4 * HOUR) == 2
        assert await store.close_stuck(land.clock.now_us - 4 * HOUR) == 0
        assert lists(store.board) == {"call_3": ("clinic", "active")}
        counted = totals(store.board)
        assert (counted["ended_calls"], counted["failed_calls"]) == (1, 1)
        assert counted["minutes_ms"] == 120_000
        (bucket,) = await history(
            store, "clinic", NINE + 4 * HOUR, NINE + 4 * HOUR + MINUTE, MINUTE
        )
        assert (bucket["ended_calls"], bucket["failed_calls"]) == (1, 1)
    async with land.store() as store:
        # A real end replaces outcome and minutes and counts nothing twice.
        await store.record([event(T.ENDED, "call_1", at=600, minutes=10)])
        counted = totals(store.board)
        assert (counted["ended_calls"], counted["failed_calls"]) == (1, 0)
        assert counted["minutes_ms"] == 600_000
        (bucket,) = await history(
            store, "clinic", NINE + 4 * HOUR, NINE + 4 * HOUR + MINUTE, MINUTE
        )
        assert (bucket["ended_calls"], bucket["active_calls"]) == (0, 1)


async def test_a_pending_call_comes_back_when_something_is_heard_of_it(tmp_path: Path) -> None:
    land = ground(tmp_path)
    async with land.store() as store:
        await store.record([event(T.PENDING, "call_1")])
        land.clock.now_us += 5 * HOUR
        await store.close_stuck(land.clock.now_us - 4 * HOUR)
        assert lists(store.board) == {}
    async with land.store() as store:
        assert lists(store.board) == {}
        await store.record([event(T.PENDING, "call_1", at=5)])
        assert lists(store.board) == {"call_1": ("clinic", "pending")}


async def test_more_stuck_calls_than_a_step_takes_are_all_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CALLS_CLOSED_A_STEP", 3)
    land = ground(tmp_path)
    async with land.store() as store:
        await store.record([event(T.STARTED, f"call_{number}") for number in range(8)])
        assert await store.close_stuck(land.clock.now_us) == 8
        assert lists(store.board) == {}


async def test_retention_forgets_events_and_calls_but_neither_totals_nor_lists(
    tmp_path: Path,
) -> None:
    land = ground(tmp_path)
    land.clock.now_us = NINE + HOUR
    old = [
        event(T.STARTED, "call_old"),
        event(T.AUDIO, "call_old", at=30, minutes=0.5),
        event(T.ENDED, "call_old", at=60, minutes=1),
        event(T.STARTED, "call_long"),
        event(T.REJECTED, "call_rejected"),
        event(T.FALLBACK_INSTRUCTIONS_USED),
    ]
    async with land.store() as store:
        await store.record(old)
        land.clock.now_us += 10 * DAY
        await store.record([event(T.STARTED, "call_new", at=10 * 86_400)])
        before = totals(store.board), lists(store.board)
        await store.drop_received_before(land.clock.now_us - DAY)
        assert (totals(store.board), lists(store.board)) == before
        first, second = await history(store, None, NINE, NINE + 2 * HOUR, HOUR)
        # What is left of that hour is the call that still goes on.
        kept = {"accepted_calls": 1, "started_calls": 1, "active_calls": 1, "peak_active_calls": 1}
        assert first == {"start_us": NINE, **NOTHING, **kept}
        assert second["active_calls"] == 1
    with sqlite3.connect(land.path) as connection:
        rows = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("live_events", "live_calls", "live_reports")
        }
    connection.close()
    assert rows == {"live_events": 1, "live_calls": 2, "live_reports": 0}


async def test_retention_in_many_steps_leaves_what_is_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVENTS_A_STEP", 3)
    monkeypatch.setattr(retention, "CALLS_A_STEP", 2)
    land = ground(tmp_path)
    async with land.store() as store:
        for number in range(10):
            await store.record(
                [
                    event(T.STARTED, f"call_{number}", at=number),
                    event(T.ENDED, f"call_{number}", at=number + 5),
                ]
            )
            land.clock.now_us += MINUTE
        await store.drop_received_before(land.clock.now_us - 4 * MINUTE)
        (bucket,) = await history(store, None, NINE, NINE + HOUR, HOUR)
        assert (bucket["started_calls"], bucket["ended_calls"]) == (4, 4)
        assert bucket["peak_active_calls"] == 4


async def test_tenants_are_listed_with_their_last_event_and_limit(tmp_path: Path) -> None:
    land = ground(tmp_path)
    async with land.store() as store:
        await store.record([event(T.STARTED, at=90, tenant_id="b")])
        received = land.clock.now_us
        land.clock.now_us += SECOND
        await store.record([event(T.AUDIO, at=30, tenant_id="b", minutes=1)])
        await store.set_limit("a", 25)
        await store.set_limit("b", 0)
        assert store.limit("a") == 25
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
    async with land.store() as store:
        assert (store.limit("a"), store.limit("b"), store.limit("c")) == (25, 0, None)
        tenant = await store.set_limit("b", None)
        assert tenant.max_concurrent_calls is None
        assert store.limit("b") is None


async def test_a_late_start_changes_peaks_that_were_worked_out(tmp_path: Path) -> None:
    land = ground(tmp_path)
    land.clock.now_us = NINE + 5 * HOUR
    async with land.store() as store:
        await store.record(
            [event(T.STARTED, "call_1", at=10), event(T.ENDED, "call_1", at=3 * 3600)]
        )
        while await store.work_out_peaks():
            pass
        peaks = [
            row["peak_active_calls"]
            for row in await history(store, None, NINE, NINE + 4 * HOUR, HOUR)
        ]
        assert peaks == [1, 1, 1, 0]
        await store.record(
            [
                event(T.STARTED, "call_2", at=3700),
                event(T.ENDED, "call_2", at=3701, outcome=CallOutcome.FAILED),
            ]
        )
        peaks = [
            row["peak_active_calls"]
            for row in await history(store, None, NINE, NINE + 4 * HOUR, HOUR)
        ]
        assert peaks == [1, 2, 1, 0]
        assert await store.work_out_peaks() > 0
        peaks = [
            row["peak_active_calls"]
            for row in await history(store, None, NINE, NINE + 4 * HOUR, HOUR)
        ]
        assert peaks == [1, 2, 1, 0]
