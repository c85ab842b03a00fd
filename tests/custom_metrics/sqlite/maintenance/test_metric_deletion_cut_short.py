"""A metric that is deleted goes from sight at once, whatever is left of its rows to erase."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.custom_metrics.asking import DAY_US, Practice
from tests.conformance.custom_metrics.factories import NOON_US, SteppedClock, memory, sqlite
from tests.conformance.custom_metrics.samples import OF_COMPANY, spread
from tests.custom_metrics.points import Point
from tests.custom_metrics.sqlite.maintenance.ending import everything, problems
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite.maintenance import administration
from vumeter_server.sqlite import organization_rows
from vumeter_server.sqlite.database import Database, DatabaseError, open_database

METRIC = "booking_attempt"
# Between two transactions after which it ends.
APART = tries(60, 7)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make many transactions of little."""
    monkeypatch.setattr(organization_rows, "SECONDS_AT_ONCE", 0)
    monkeypatch.setattr(administration, "SECONDS_AT_ONCE", 0)


@contextlib.contextmanager
def ends_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let so many transactions of a command happen, and then no other."""
    left = [writes]
    write = Database.write

    def write_some(self: Database, job: Callable[..., Any]) -> Any:
        if not left[0]:
            raise DatabaseError("ended")
        left[0] -= 1
        return write(self, job)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", write_some)
        yield


def rows_of(metric_code: int, path: Path) -> int:
    """Return how many rows a metric has."""
    (count,) = open_database(path / "vumeter.db").read(
        lambda connection: connection.execute(
            "SELECT "
            + "+".join(
                f"(SELECT count(*) FROM {table} WHERE metric_code = ?1)"
                for table in administration.METRIC_TABLES
            ),
            (metric_code,),
        ).fetchone()
    )
    return int(count)


def test_whenever_it_ends_the_metric_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock()
    recorded = [
        replace(point, timestamp=NOON_US - number // 2 % 20 * DAY_US)
        for number, point in enumerate(spread(400))
    ]
    with memory(tmp_path / "oracle", clock) as oracle:
        of_oracle = Practice.of(oracle)
        of_oracle.record(*recorded)
        before = everything(of_oracle)
        assert of_oracle.delete(METRIC)
        after = everything(of_oracle)
        # The name is free for another type.
        of_oracle.record(Point(name=METRIC, type="gauge", value=3))
        with_another = everything(of_oracle)
    left: list[int] = []
    is_over, writes = False, 0
    while not is_over:
        path = tmp_path / str(writes)
        path.mkdir()
        with sqlite(path, clock) as subject:
            practice = Practice.of(subject)
            practice.record(*recorded[:300])
            subject.maintain()
            practice.record(*recorded[300:])
            assert everything(practice) == before
            with ends_after(writes, monkeypatch), contextlib.suppress(DatabaseError):
                assert practice.delete(METRIC)
                is_over = True
            assert everything(practice) == (after if writes else before)
        assert problems(path) == []
        left.append(rows_of(0, path))
        if writes:
            with sqlite(path, clock) as subject:
                again = Practice(subject, practice.organization_id, practice.name)
                assert everything(again) == after
                again.record(Point(name=METRIC, type="gauge", value=3))
                assert everything(again) == with_another
                subject.maintain()
                assert everything(again) == with_another
                assert again.count_points(OF_COMPANY) == again.delete_points(OF_COMPANY)
                subject.maintain()
            assert problems(path) == []
        writes += 1 if writes < 2 else APART
    assert left == sorted(left, reverse=True)
    # Each transaction erases one row, or finds that a table has none left.
    assert left[0] == left[1] > 60
    assert left[-1] == 0
