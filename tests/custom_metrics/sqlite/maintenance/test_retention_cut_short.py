"""Days that are dropped go from sight at once, whatever is left of them to clean up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.custom_metrics.asking import DAY_US, Practice
from tests.conformance.custom_metrics.factories import (
    NOON_US,
    RETENTION_DAYS,
    SteppedClock,
    Subject,
    memory,
    sqlite,
)
from tests.conformance.custom_metrics.samples import OF_COMPANY, spread
from tests.custom_metrics.points import Point
from tests.custom_metrics.sqlite.maintenance.ending import (
    SESSIONS,
    ends_after,
    everything,
    problems,
)
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.maintenance import retention_work, segment_removal
from vumeter_server.errors import Unavailable
from vumeter_server.sqlite import open_database

DAYS = 3
# Between two transactions after which it ends.
APART = tries(7, 1)
LATER_US = (RETENTION_DAYS + 10) * DAY_US


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make many transactions of little."""
    monkeypatch.setattr(segment_removal, "SECONDS_AT_ONCE", 0)
    monkeypatch.setattr(retention_work, "SESSIONS_AT_ONCE", 15)


def points(count: int, last_us: int) -> list[Point]:
    """Return points of some days, in sessions that all days have."""
    return [
        replace(point, timestamp=last_us - number % DAYS * DAY_US)
        for number, point in enumerate(spread(count))
    ]


@contextlib.contextmanager
def old_and_new(
    subject_of: Any, path: Path, clock: SteppedClock
) -> Iterator[tuple[Subject, Practice]]:
    """Open a store with three days that are to be dropped, and as many that are not."""
    clock.now_us = NOON_US
    with subject_of(path, clock) as subject:
        practice = Practice.of(subject)
        practice.record(*points(240, NOON_US))
        subject.maintain()
        clock.now_us += LATER_US
        # Some sessions are in old days alone.
        practice.record(*points(90, clock.now_us)[:25], now_us=clock.now_us)
        subject.run(subject.flush())
        practice.record(*points(90, clock.now_us)[25:35], now_us=clock.now_us)
        yield subject, practice


def days(path: Path) -> int:
    """Return how many days are left to see."""
    (count,) = open_database(path / "vumeter.db").read(
        lambda connection: connection.execute(
            "SELECT count(DISTINCT day) FROM metric_days"
        ).fetchone()
    )
    return int(count)


def rows_of_dropped(path: Path) -> int:
    """Return how many rows there are of days that are to be dropped."""
    before_day = (NOON_US + LATER_US) // DAY_US - RETENTION_DAYS
    tables = ("metric_columns", "metric_cells", "label_sums", "session_points", "dropped_days")
    (count,) = open_database(path / "vumeter.db").read(
        lambda connection: connection.execute(
            "SELECT "
            + "+".join(f"(SELECT count(*) FROM {table} WHERE day < ?1)" for table in tables),
            (before_day,),
        ).fetchone()
    )
    return int(count)


def test_whenever_it_ends_a_day_is_there_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock()
    with old_and_new(memory, tmp_path / "oracle", clock) as (oracle, of_oracle):
        oracle.run(oracle.drop())
        after = everything(of_oracle)
    seen: list[int] = []
    is_over, jobs = False, 0
    while not is_over:
        path = tmp_path / str(jobs)
        path.mkdir()
        with old_and_new(sqlite, path, clock) as (subject, practice):
            assert days(path) == 2 * DAYS
            everything(practice)
            with ends_after(jobs, monkeypatch), contextlib.suppress(Unavailable):
                subject.run(subject.drop())
                is_over = True
            found = everything(practice)
            seen.append(days(path) - DAYS)
            assert (found == after) == (seen[-1] == 0)
        # Sessions have exactly the points that are in columns.
        assert problems(path) == []
        with sqlite(path, clock) as subject:
            again = Practice(subject, practice.organization_id, practice.name)
            assert everything(again) == found
            assert isinstance(subject.store, SqliteMetricStore)
            # Late points of a day that is half cleaned up stay, and their sessions.
            late = points(3, NOON_US)
            again.record(*late)
            subject.run(subject.store.maintenance.do_what_is_due())
            subject.run(subject.drop())
            assert again.count_points(OF_COMPANY) == again.delete_points(OF_COMPANY)
            subject.maintain()
            assert problems(path) == []
        jobs += 1 if jobs < 2 else APART
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == set(range(DAYS + 1))


def test_what_was_cut_short_leaves_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteppedClock()
    for jobs in tries((2, 30), (1, 2, 3, 5, 12, 20, 30, 40, 50)):
        path = tmp_path / str(jobs)
        path.mkdir()
        with old_and_new(sqlite, path, clock) as (subject, practice):
            with ends_after(jobs, monkeypatch), contextlib.suppress(Unavailable):
                subject.run(subject.drop())
            assert rows_of_dropped(path) > 0
            practice.record(*points(30, NOON_US))
            assert isinstance(subject.store, SqliteMetricStore)
            subject.run(subject.store.maintenance._flush_logs(everything=True))
            before = [practice.session(name) for name in SESSIONS]
            # A deletion of points writes the day again of which rows are left.
            assert practice.delete_points(OF_COMPANY) > 6
            after = [practice.session(name) for name in SESSIONS]
            assert after == [
                [each for each in session if "c1" not in each[2].values()] for session in before
            ]
        assert problems(path) == []
        with sqlite(path, clock) as subject:
            assert isinstance(subject.store, SqliteMetricStore)
            subject.run(subject.store.maintenance.do_what_is_due())
            again = Practice(subject, practice.organization_id, practice.name)
            assert [again.session(name) for name in SESSIONS] == after
            clock.now_us += LATER_US
            subject.run(subject.drop())
            assert rows_of_dropped(path) == 0
        assert problems(path) == []
