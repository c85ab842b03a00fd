"""A day of many points has several segments, none of which is large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.custom_metrics.in_process import NOW_US, InProcess

from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.custom_metrics.sqlite.formats import segment_groups
from vumeter_server.custom_metrics.sqlite.maintenance import (
    compaction,
    deletion_rows,
)
from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.rfc3339 import format_rfc3339

MAX_POINTS = 100
OF_COMPANY = DeleteQuery(filters=(Matcher("company_id", Operator.EQUAL, ("c0",)),))
RANGE = {"startDate": "2025-01-01", "endDate": "2026-06-01"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """A store whose segments are small."""
    monkeypatch.setattr(segment_groups, "MAX_POINTS", MAX_POINTS)
    with InProcess(tmp_path / "vumeter.db") as in_process:
        in_process.new_organization()
        yield in_process


def record_and_flush(server: InProcess, count: int, first: int) -> None:
    """Record points of one day, and make them one segment."""
    points: list[dict[str, Any]] = [
        {
            "name": f"m_{number % 2}",
            "type": "gauge",
            "value": number,
            "timestamp": format_rfc3339(NOW_US - 1_000_000 * (1 + number * 7_919 % 40_000)),
            "sessionId": f"session_{number % 9}",
            "tags": {"company_id": f"c{number % 3}"},
        }
        for number in range(first, first + count)
    ]
    server.record(points)
    server.run(server.store.maintenance._flush_log(server.organization_id))


def segments(server: InProcess) -> list[int]:
    """Return how many points each segment has, from the oldest on."""
    rows = server.database.read(
        lambda connection: connection.execute(
            "SELECT points FROM metric_days ORDER BY day, part"
        ).fetchall()
    )
    return [points for (points,) in rows]


def compact(server: InProcess, *, everything: bool = False) -> None:
    """Compact what is due; the file says the same before and after."""
    questions = [("aggregate", {**RANGE, "groupBy": "company_id,session_id"}), ("daily", RANGE)]
    before = [server.get(f"/v1/custom-metrics/{path}", query) for path, query in questions]
    server.run(server.store.maintenance._compact(everything=everything))
    after = [server.get(f"/v1/custom-metrics/{path}", query) for path, query in questions]
    assert after == before
    assert server.database.read(lambda connection: list(find_problems(connection))) == []


def test_segments_become_one_until_it_would_be_large(server: InProcess) -> None:
    for number in range(7):
        record_and_flush(server, 5, 5 * number)
    compact(server)
    assert segments(server) == [5] * 7
    record_and_flush(server, 5, 35)
    compact(server)
    assert segments(server) == [40]
    record_and_flush(server, 50, 40)
    compact(server)
    assert segments(server) == [40, 50]
    # Nothing more fits in beside these two: they are joined, and are left alone from then on.
    record_and_flush(server, 20, 90)
    compact(server)
    assert segments(server) == [90, 20]
    for number in range(7):
        record_and_flush(server, 4, 110 + 4 * number)
    compact(server)
    assert segments(server) == [90, 48]


def test_a_segment_that_was_large_already_is_left_alone(server: InProcess) -> None:
    record_and_flush(server, 3 * MAX_POINTS, 0)
    for number in range(8):
        record_and_flush(server, 2, 3 * MAX_POINTS + 2 * number)
    compact(server)
    assert segments(server) == [3 * MAX_POINTS, 16]


def test_all_of_a_day_becomes_as_few_segments_as_there_may_be(server: InProcess) -> None:
    for number in range(5):
        record_and_flush(server, 45, 45 * number)
    compact(server, everything=True)
    assert segments(server) == [90, 90, 45]
    compact(server, everything=True)
    assert segments(server) == [90, 90, 45]


def test_what_is_due_is_not_compacted_if_it_is_gone_meanwhile(server: InProcess) -> None:
    for number in range(8):
        record_and_flush(server, 5, 5 * number)
    (due,) = server.database.read(
        lambda connection: compaction.due(connection, segments=compaction.COMPACT_AT_SEGMENTS)
    )
    of_company = {"label": "company_id", "op": "=", "value": "c0"}
    server.delete(json.dumps({"filters": [of_company]}))
    left = segments(server)
    assert sum(left) < 40
    server.run(server.store.maintenance._compact_segments(due))
    assert segments(server) == left


def test_a_deletion_writes_a_day_again_in_as_many_segments(server: InProcess) -> None:
    for number in range(5):
        record_and_flush(server, 45, 45 * number)
    compact(server, everything=True)
    of_company = {"label": "company_id", "op": "=", "value": "c0"}
    assert server.delete(json.dumps({"filters": [of_company]})) == {"data": {"deleted": 75}}
    assert segments(server) == [60, 60, 30]
    compact(server)
    assert segments(server) == [60, 60, 30]


def test_a_deletion_of_an_earlier_version_has_one_number(server: InProcess) -> None:
    for number in range(3):
        record_and_flush(server, 90, 90 * number)

    def older(connection: sqlite3.Connection) -> None:
        number = deletion_rows.add(connection, server.organization_id, OF_COMPANY, NOW_US)
        connection.execute("DELETE FROM metric_batches WHERE batch_number > ?", (number,))
        connection.execute("UPDATE point_deletions SET numbers = 1")
        connection.execute("UPDATE metric_states SET next_batch = ?", (number + 1,))

    server.database.write(older)
    record_and_flush(server, 30, 270)
    server.run(server.store.maintenance.do_what_is_due())
    # What was recorded after it was asked for stays.
    assert segments(server) == [180, 30]
    compact(server)
