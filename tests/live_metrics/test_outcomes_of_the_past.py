"""A database from before outcomes were counted: opening it counts its calls by their outcome."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.live_metrics.making import event
from tests.live_metrics.stores import HOUR, MINUTE, NINE, Ground, ground, history, totals

from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.model import CallOutcome, EventType
from vumeter_server.sqlite import open_database
from vumeter_server.sqlite.library import sqlite3

T = EventType
ADDED = COLUMNS[COLUMNS.index("minutes_ms") + 1 :]
HOUR_CELLS = (NINE, NINE + 3 * HOUR, HOUR)
MINUTE_CELLS = (NINE, NINE + HOUR, MINUTE)
SINGLE_MARKS = (NINE, NINE + MINUTE, 7_000_000)


def take_back(path: Path) -> None:
    """Make the file what it was before the migration, as an earlier version would have written."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE live_marks SET kind = 7 WHERE kind = 11")
        connection.execute("UPDATE live_marks SET kind = 8 WHERE kind = 16")
        connection.execute("UPDATE live_calls SET outcome = NULL WHERE outcome = 8")
        connection.execute("UPDATE live_events SET outcome = NULL WHERE outcome = 8")
        connection.execute("ALTER TABLE live_events DROP COLUMN sequence")
        for name in ("tenant", "rejected", "ended"):
            connection.execute(f"ALTER TABLE live_calls DROP COLUMN {name}_sequence")
        for table in ("live_totals", "live_cells"):
            for name in ADDED:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0012_outcomes'")
        connection.commit()


async def counted(land: Ground) -> object:
    async with land.store() as (store, view):
        tenants = (None, "clinic", "garage")
        return (
            [totals(view, each) for each in tenants],
            [
                await history(store, each, *asked)
                for each in tenants
                for asked in (HOUR_CELLS, MINUTE_CELLS, SINGLE_MARKS)
            ],
        )


async def test_calls_in_which_somebody_hung_up_are_counted_as_if_recorded_today(
    tmp_path: Path,
) -> None:
    land = ground(tmp_path)
    outcomes = (CallOutcome.HUNG_UP, CallOutcome.COMPLETED, CallOutcome.FAILED)
    async with land.store() as (store, _view):
        await store.record(
            [
                each
                for number in range(60)
                for each in (
                    event(T.STARTED, f"call_{number}", at=number * 97, tenant_id=tenant(number)),
                    event(
                        T.ENDED,
                        f"call_{number}",
                        at=number * 97 + 30,
                        tenant_id=tenant(number),
                        outcome=outcomes[number % 3],
                    ),
                )
            ]
        )
    today = await counted(land)
    take_back(land.path)
    open_database(land.path)
    assert await counted(land) == today
    async with land.store() as (_store, view):
        assert totals(view)["hung_up_calls"] == 20


async def test_a_call_that_was_closed_stays_failed_and_its_real_end_still_replaces_that(
    tmp_path: Path,
) -> None:
    land = ground(tmp_path)
    async with land.store() as (store, _view):
        await store.record([event(T.STARTED), event(T.STARTED, "call_2")])
        land.clock.now_us += 5 * HOUR
        assert await store.close_stuck(land.clock.now_us - 4 * HOUR) == 2
    take_back(land.path)
    async with land.store() as (store, view):
        assert (totals(view)["failed_calls"], totals(view)["timed_out_calls"]) == (2, 0)
        await store.record([event(T.ENDED, at=60, outcome=CallOutcome.BUSY)])
        left = {name: number for name, number in totals(view).items() if number}
        assert left == {
            "accepted_calls": 2,
            "started_calls": 2,
            "ended_calls": 2,
            "failed_calls": 1,
            "busy_calls": 1,
            "minutes_ms": 60_000,
        }
        (now,) = await history(store, None, NINE, NINE + 24 * HOUR, 24 * HOUR)
        assert {name: now[name] for name in ADDED if now[name]} == {"busy_calls": 1}
        assert (now["ended_calls"], now["failed_calls"], now["active_calls"]) == (2, 1, 0)


def tenant(number: int) -> str:
    return "clinic" if number % 4 else "garage"
