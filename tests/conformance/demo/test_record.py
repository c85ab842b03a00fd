"""What a store remembers of demo data is the same in every store; on a cluster one has the turn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.clickhouse.places import PLACES, ClickHousePlace
from tests.demo.asking import NOON_US

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.demo import clickhouse as on_clickhouse
from vumeter_server.demo.clickhouse import ClickHouseDemoRecord
from vumeter_server.demo.record import DemoRecord, Loading
from vumeter_server.demo.sqlite import SqliteDemoRecord
from vumeter_server.sqlite import open_database
from vumeter_server.times.units import DAY_US, HOUR_US

SQLITE = "sqlite"
FAMILY, TURN = "custom_metrics", "play live_metrics"


@pytest.fixture(params=[SQLITE, *PLACES])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> DemoRecord:
    """A store that never had demo data."""
    if request.param == SQLITE:
        return SqliteDemoRecord(open_database(tmp_path / "vumeter.db", create=True))
    return ClickHouseDemoRecord(PLACES[request.param]().blocking)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> ClickHousePlace:
    """A database of ClickHouse that several processes use."""
    return PLACES[request.param]()


def test_data_is_begun_once_and_goes_on_until_it_is_finished(record: DemoRecord) -> None:
    first = Loading(NOON_US, None)
    assert record.begin(FAMILY, NOON_US, extends=False) == first
    assert record.begin(FAMILY, NOON_US + 3 * HOUR_US, extends=True) == first
    record.finish(FAMILY, NOON_US + HOUR_US, until_us=NOON_US)
    assert record.begin(FAMILY, NOON_US + 9 * HOUR_US, extends=False) is None
    # One family says nothing of another.
    other = Loading(NOON_US + DAY_US, None)
    assert record.begin("simulation", NOON_US + DAY_US, extends=True) == other


def test_what_is_there_is_extended_once_an_hour_has_passed(record: DemoRecord) -> None:
    record.begin(FAMILY, NOON_US, extends=False)
    record.finish(FAMILY, NOON_US, until_us=NOON_US)
    hour_us = NOON_US // HOUR_US * HOUR_US
    assert record.begin(FAMILY, hour_us + HOUR_US - 1, extends=True) is None
    later = Loading(hour_us + HOUR_US, NOON_US)
    assert record.begin(FAMILY, hour_us + HOUR_US, extends=True) == later
    # It was interrupted: what came since is for the time after.
    assert record.begin(FAMILY, hour_us + DAY_US, extends=True) == later
    record.finish(FAMILY, hour_us + DAY_US, until_us=hour_us + DAY_US)
    assert record.begin(FAMILY, hour_us + DAY_US, extends=True) is None
    again = Loading(hour_us + 2 * DAY_US, hour_us + DAY_US)
    assert record.begin(FAMILY, hour_us + 2 * DAY_US, extends=True) == again


def test_a_turn_that_nobody_has_is_taken_and_kept(record: DemoRecord) -> None:
    assert [record.take_turn(TURN) for _ in range(3)] == [True] * 3
    record.give_up_turn(TURN)
    assert record.take_turn(TURN)


def test_of_processes_that_want_a_turn_one_has_it(place: ClickHousePlace) -> None:
    processes = [ClickHouseDemoRecord(place.blocking) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        taken = list(threads.map(lambda each: each.take_turn(TURN), processes))
    assert sorted(taken) == [False, False, True]
    has = processes.pop(taken.index(True))
    assert has.take_turn(TURN)
    assert [each.take_turn(TURN) for each in processes] == [False, False]
    # Who has no turn takes none from another; one turn says nothing of another.
    processes[0].give_up_turn(TURN)
    assert not processes[1].take_turn(TURN)
    assert processes[1].take_turn("load simulation")
    has.give_up_turn(TURN)
    assert processes[0].take_turn(TURN)
    assert not has.take_turn(TURN)


def test_a_turn_goes_to_another_when_who_has_it_says_nothing_any_more(
    place: ClickHousePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, other = (ClickHouseDemoRecord(place.blocking) for _ in range(2))
    assert killed.take_turn(TURN)
    assert not other.take_turn(TURN)
    with monkeypatch.context() as patched:
        patched.setattr(on_clickhouse, "COUNTS_FOR_SECONDS", 0.0)
        assert other.take_turn(TURN)
    assert not killed.take_turn(TURN)


def test_a_turn_that_is_kept_for_long_takes_no_more_room(
    place: ClickHousePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_clickhouse, "_SLOTS", 4)
    record = ClickHouseDemoRecord(place.blocking)
    assert all(record.take_turn(TURN) for _ in range(12))

    async def merged(clickhouse: ClickHouse) -> int:
        for node in clickhouse.nodes:
            await node.command(f"OPTIMIZE TABLE {clickhouse.layout.local('demo_turns')} FINAL")
        table = clickhouse.layout.reads("demo_turns")
        found = await clickhouse.query(f"SELECT count() AS rows FROM {table}")
        return int(found.column("rows")[0].as_py())

    assert place.blocking.run(merged) == 4
    assert not ClickHouseDemoRecord(place.blocking).take_turn(TURN)
    assert record.take_turn(TURN)
