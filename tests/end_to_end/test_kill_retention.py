"""`kill -9` of the server while it drops days that are older than they are kept."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.custom_metrics.in_process import InProcess
from tests.custom_metrics.oracle import Oracle
from tests.stack import children_of, spawn_up

from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US, HOUR_US

# 2024-01-01T00:00:00Z, and so older than it is kept whenever this runs.
FIRST_US = 1_704_067_200_000_000
DAYS = 80
KEPT = 12
AT_ONCE = 25
SEALED_US = FIRST_US + 120 * DAY_US
AGGREGATE = "/v1/custom-metrics/aggregate"
DAILY = "/v1/custom-metrics/daily"
RANGE = {"startDate": "2024-01-01", "endDate": "2024-04-01"}


def points_of(day: int) -> list[dict[str, Any]]:
    """Return the points of a day: every session has points of the next day, too."""
    return [
        {
            "name": ("booking_attempt", "e2e_latency_ms")[number % 2],
            "type": ("counter", "histogram")[number % 2],
            "value": 600.5 + number,
            "timestamp": format_rfc3339(FIRST_US + day * DAY_US + number % 20 * HOUR_US),
            "agentId": f"agent_{number % 3}",
            "sessionId": f"session_{day + number % 2}_{number % 5}",
            "tags": {"company_id": f"company_{number % 7}"},
        }
        for number in range(40)
    ]


def record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a database of old days, of which the last ones were flushed just now."""
    with InProcess(path) as server:
        server.new_organization()
        for first, end, sealed_us in (
            (0, DAYS - KEPT, SEALED_US),
            (DAYS - KEPT, DAYS, FIRST_US + 3_000 * DAY_US),
        ):
            monkeypatch.setattr(server.store.maintenance, "_clock", partial(int, sealed_us))
            for day in range(first, end):
                server.record(points_of(day))
            server.flush()


def days_of(path: Path) -> list[int]:
    """Return which days there are, counted from the first."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT DISTINCT day FROM metric_days ORDER BY day").fetchall()
    return [day - FIRST_US // DAY_US for (day,) in rows]


def assert_all_agrees(path: Path) -> None:
    """Whatever is asked is answered from the days that are left, and from all of these."""
    oracle = Oracle()
    for day in days_of(path):
        oracle.record(points_of(day), SEALED_US)
    with InProcess(path) as server:
        server.organization_id = 1
        for endpoint, more in (
            (AGGREGATE, {}),
            (AGGREGATE, {"groupBy": "company_id"}),
            (AGGREGATE, {"groupBy": "company_id,agent_id"}),
            (AGGREGATE, {"groupBy": "session_id"}),
            (DAILY, {}),
        ):
            assert server.get(endpoint, RANGE | more) == oracle.ask(endpoint, RANGE | more)
        for day in range(DAYS + 1):
            path_of_session = f"/v1/custom-metrics/sessions/session_{day}_1"
            assert server.get(path_of_session, {}) == oracle.ask(path_of_session, {})
        assert server.database.read(lambda connection: list(find_problems(connection))) == []


@pytest.mark.timeout(180)
def test_kill_9_while_days_are_dropped_loses_no_other_and_leaves_nothing_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vumeter.db"
    record(path, monkeypatch)
    before = days_of(path)
    assert before == list(range(DAYS))
    left = before
    killed_amid = 0
    deadline = time.monotonic() + 120
    while len(left) != KEPT:
        process, _ = spawn_up(tmp_path)
        # It drops as soon as it runs, and a day takes it some milliseconds.
        while len(days_of(path)) > max(len(before) - AT_ONCE, KEPT):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.002)
        for pid in children_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait(timeout=40)
        left = days_of(path)
        assert set(left) <= set(before)
        assert_all_agrees(path)
        killed_amid += KEPT < len(left) < len(before)
        before = left
    assert left == list(range(DAYS - KEPT, DAYS))
    assert killed_amid > 0
