"""What only the store in SQLite has: its steps, its rows, and transactions that fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.live_metrics.making import event
from tests.live_metrics.stores import (
    HOUR,
    MINUTE,
    NINE,
    ground,
    history,
    lists,
    totals,
)

from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import CallOutcome, EventType
from vumeter_server.live_metrics.sqlite import retention
from vumeter_server.live_metrics.sqlite import store as store_module
from vumeter_server.live_metrics.sqlite.write_batch import WriteBatch

T = EventType
DAY = 24 * HOUR
NOTHING = dict.fromkeys(COLUMNS, 0)


async def test_a_batch_that_cannot_be_committed_leaves_neither_figures_nor_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path).store() as (store, view):
        await store.record([event(T.STARTED, "call_1")])
        merge = WriteBatch.merge

        def merge_and_fail(booking: WriteBatch) -> None:
            merge(booking)
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(WriteBatch, "merge", merge_and_fail)
        with pytest.raises(Unavailable):
            await store.record([event(T.STARTED, "call_2"), event(T.ENDED, "call_1")])
        monkeypatch.undo()
        assert lists(view) == {"call_1": ("clinic", "active")}
        assert lists(await LiveView.of(store)) == {"call_1": ("clinic", "active")}
        await store.record([event(T.STARTED, "call_3")])
        assert lists(view) == {
            "call_1": ("clinic", "active"),
            "call_3": ("clinic", "active"),
        }
        assert totals(view)["started_calls"] == 2


async def test_more_stuck_calls_than_a_step_takes_are_all_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CALLS_CLOSED_PER_STEP", 3)
    land = ground(tmp_path)
    async with land.store() as (store, view):
        await store.record([event(T.STARTED, f"call_{number}") for number in range(8)])
        assert await store.close_stuck(land.clock.now_us) == 8
        assert lists(view) == {}


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
    async with land.store() as (store, view):
        await store.record(old)
        land.clock.now_us += 10 * DAY
        await store.record([event(T.STARTED, "call_new", at=10 * 86_400)])
        before = totals(view), lists(view)
        await store.drop_received_before(land.clock.now_us - DAY)
        assert (totals(view), lists(view)) == before
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
    monkeypatch.setattr(retention, "EVENTS_PER_STEP", 3)
    monkeypatch.setattr(retention, "CALLS_PER_STEP", 2)
    land = ground(tmp_path)
    async with land.store() as (store, _view):
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


async def test_a_late_start_changes_peaks_that_were_computed(tmp_path: Path) -> None:
    land = ground(tmp_path)
    land.clock.now_us = NINE + 5 * HOUR
    async with land.store() as (store, _view):
        await store.record(
            [event(T.STARTED, "call_1", at=10), event(T.ENDED, "call_1", at=3 * 3600)]
        )
        while await store.compute_peaks():
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
        assert await store.compute_peaks() > 0
        peaks = [
            row["peak_active_calls"]
            for row in await history(store, None, NINE, NINE + 4 * HOUR, HOUR)
        ]
        assert peaks == [1, 2, 1, 0]
