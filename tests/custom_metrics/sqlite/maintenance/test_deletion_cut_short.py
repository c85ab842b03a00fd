"""A deletion that ends after any of its transactions is none or whole, and it goes on."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.custom_metrics.asking import DAY_US, Practice
from tests.conformance.custom_metrics.factories import (
    NOON_US,
    SteppedClock,
    Subject,
    memory,
    sqlite,
)
from tests.conformance.custom_metrics.samples import OF_COMPANY, spread
from tests.custom_metrics.points import Point
from tests.custom_metrics.sqlite.maintenance.ending import ends_after, everything, problems
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.formats import segment_groups
from vumeter_server.custom_metrics.sqlite.maintenance import (
    deletion_rewriting,
    deletion_work,
)
from vumeter_server.errors import Unavailable

# Between two transactions after which a deletion ends.
APART = tries(3, 1)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make many transactions of little."""
    monkeypatch.setattr(deletion_rewriting, "BYTES_AT_ONCE", 40_000)
    monkeypatch.setattr(deletion_work, "ROWS_AT_ONCE", 40)
    monkeypatch.setattr(deletion_work, "SESSIONS_AT_ONCE", 40)


def over_days(count: int) -> list[Point]:
    """Return points of 12 days."""
    return [
        replace(point, timestamp=NOON_US - number * 7_919_000_000 % (12 * DAY_US))
        for number, point in enumerate(spread(count))
    ]


def record(subject: Subject) -> Practice:
    """Record into segments, compacted rollups and the head."""
    practice = Practice.of(subject)
    points = over_days(600)
    practice.record(*points[:300])
    subject.maintain()
    practice.record(*points[300:450])
    subject.run(subject.flush())
    practice.record(*points[450:])
    return practice


@pytest.mark.parametrize("max_points", [segment_groups.MAX_POINTS, 20])
@pytest.mark.usefixtures("small_steps")
def test_whenever_it_ends_it_is_all_or_nothing_and_is_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_points: int
) -> None:
    # Of a day, one segment or several are written again.
    monkeypatch.setattr(segment_groups, "MAX_POINTS", max_points)
    clock = SteppedClock()
    with memory(tmp_path / "oracle", clock) as oracle:
        of_oracle = record(oracle)
        before = everything(of_oracle)
        assert of_oracle.delete_points(OF_COMPANY) == 120
        after = everything(of_oracle)
    outcomes: list[str] = []
    jobs = 0
    while not outcomes or outcomes[-1] != "answered":
        path = tmp_path / str(jobs)
        path.mkdir()
        with sqlite(path, clock) as subject:
            practice = record(subject)
            everything(practice)
            answered = None
            with ends_after(jobs, monkeypatch), contextlib.suppress(Unavailable):
                answered = practice.delete_points(OF_COMPANY)
            # What has its caches full, and what has just been opened.
            found = everything(practice)
            assert found in (before, after)
        assert problems(path) == []
        with sqlite(path, clock) as subject:
            again = Practice(subject, practice.organization_id, practice.name)
            assert everything(again) == found
            assert isinstance(subject.store, SqliteMetricStore)
            subject.run(subject.store.maintenance.do_what_is_due())
            assert everything(again) == (found if jobs == 0 else after)
            assert problems(path) == []
            assert again.delete_points(OF_COMPANY) == (120 if jobs == 0 else 0)
            subject.maintain()
            assert everything(again) == after
            assert problems(path) == []
        if answered is not None:
            assert answered == 120
            outcomes.append("answered")
        else:
            outcomes.append("all" if found == after else "nothing")
        # The first ones are all tried.
        jobs += 1 if jobs < 2 else APART
    # First nothing of it shows for a while, then all of it.
    assert outcomes[:2] == ["nothing", "nothing"]
    assert outcomes == sorted(outcomes, key=["nothing", "all", "answered"].index)
    assert outcomes.count("nothing") > 10 // APART
    assert outcomes.count("all") > 10 // APART


@pytest.mark.parametrize("max_points", [segment_groups.MAX_POINTS, 20])
@pytest.mark.usefixtures("small_steps")
def test_background_work_and_retention_beside_a_half_done_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_points: int
) -> None:
    monkeypatch.setattr(segment_groups, "MAX_POINTS", max_points)
    clock = SteppedClock()
    for jobs in tries((1, 8, 18), (1, 2, 8, 14, 18, 30)):
        path = tmp_path / str(jobs)
        path.mkdir()
        with sqlite(path, clock) as subject, memory(path, clock) as oracle:
            practices = [record(each) for each in (subject, oracle)]
            with ends_after(jobs, monkeypatch), contextlib.suppress(Unavailable):
                practices[0].delete_points(OF_COMPANY)
            practices[1].delete_points(OF_COMPANY)
            # Recorded after it was asked for, with the same labels: it stays.
            for practice in practices:
                practice.record(*over_days(40))

            async def work(store: Any = subject.store) -> None:
                await asyncio.gather(*(store.maintenance.flush(everything=True) for _ in range(3)))

            subject.run(work())
            assert everything(practices[0]) == everything(practices[1])
        assert problems(path) == []
