"""`kill -9` of the server in the middle of a deletion: all of it is seen or nothing, never back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.custom_metrics.in_process import InProcess
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems
from vumeter_server.sqlite.library import sqlite3
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US, HOUR_US

FIRST_US = 1_743_465_600_000_000  # 2025-04-01T00:00:00Z
DAYS = 60
SETTINGS = {"VUMETER_RETENTION_DAYS": "100000", "VUMETER_ACCESS_LOG": "false"}
RANGE = {"startDate": "2025-04-01", "endDate": "2025-07-01"}
COMPANY = "company_3"
DELETION = {"filters": [{"label": "company_id", "op": "=", "value": COMPANY}]}
FUNCTIONS = ("sum", "count", "min", "max", "sessions")

# What is on the way of a deletion, and how it shows in the file.
STAGES = {
    "asked for": "SELECT 1 FROM point_deletions WHERE deleted IS NULL",
    "written in part": (
        "SELECT 1 FROM metric_columns c, point_deletions d"
        " WHERE d.deleted IS NULL AND c.part = d.batch_number AND d.is_done = 0 LIMIT 1"
    ),
    "applied": "SELECT 1 FROM point_deletions WHERE deleted IS NOT NULL",
}


def points_of(day: int) -> list[dict[str, Any]]:
    """Return the points of a day: values and distributions, of sessions of two days each."""
    return [
        {
            "name": ("booking_attempt", "e2e_latency_ms", "e2e_latency_ms")[number % 3],
            "type": ("counter", "histogram", "histogram")[number % 3],
            **measured(number),
            "timestamp": format_rfc3339(FIRST_US + day * DAY_US + number % 20 * HOUR_US),
            "agentId": f"agent_{number % 3}",
            "sessionId": f"session_{day + number % 2}_{number % 5}",
            "tags": {"company_id": f"company_{number % 7}"},
        }
        for number in range(42)
    ]


def measured(number: int) -> dict[str, Any]:
    if number % 3 < 2:
        return {"value": 600.5 + number}
    counts = {"bounds": [500, 1_000], "bucketCounts": [0, 2, 0]}
    return {"distribution": {"count": 2, "sum": 1_300 + number, "min": 600, "max": 900, **counts}}


def record(path: Path, *, deleted: bool = False) -> None:
    """Record all days, or what a deletion of a company leaves of them; the last one in the head."""
    with InProcess(path) as server:
        server.new_organization()
        for day in range(DAYS):
            points = points_of(day)
            if deleted:
                points = [each for each in points if each["tags"]["company_id"] != COMPANY]
            server.record(points)
            if day == DAYS - 2:
                server.flush()


def answers(path: Path) -> list[Any]:
    """Return whatever can be asked of a file that nobody serves."""
    columns = [
        {"as": f"{name}_{number}", "metric": metric, "function": name}
        for number, metric in enumerate(("booking_attempt", "e2e_latency_ms"))
        for name in FUNCTIONS
    ]
    with InProcess(path) as server:
        server.organization_id = 1
        found = [
            server.get(f"/v1/custom-metrics/{endpoint}", query)
            for endpoint, query in (
                ("names", {}),
                ("tags", {}),
                ("aggregate", RANGE),
                ("aggregate", RANGE | {"groupBy": "company_id,agent_id"}),
                ("daily", RANGE | {"groupBy": "company_id"}),
            )
        ]
        found += [
            server.get(f"/v1/custom-metrics/sessions/session_{day}_{number}", {})
            for day in range(0, DAYS + 1, 7)
            for number in range(5)
        ]
        body = {**RANGE, "metrics": columns, "groupBy": ["company_id"], "step": "week"}
        found.append(server.query(json_of(body)))
        problems = server.database.read(lambda connection: list(find_problems(connection)))
    assert problems == []
    return found


def json_of(body: dict[str, Any]) -> str:
    request = requests.Request("POST", "http://localhost", json=body).prepare()
    assert isinstance(request.body, bytes)
    return request.body.decode()


def shows(path: Path, sql: str) -> bool:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchone() is not None


def kill(stack: Stack) -> None:
    for child in stack.children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    stack.wait()


class Deleting(threading.Thread):
    """Somebody who deletes, and may be told that it is done."""

    def __init__(self, stack: Stack, key: NewKey) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._key = key
        self.deleted: int | None = None

    def run(self) -> None:
        with contextlib.suppress(requests.RequestException):
            answer = requests.post(
                f"{self._stack.rest_url}/v1/custom-metrics/delete",
                json=DELETION,
                headers={"Authorization": f"Bearer {self._key.key_id}.{self._key.secret}"},
                timeout=60,
            )
            # Envoy may outlive the server for a moment, and says so.
            if answer.status_code == 200:
                self.deleted = answer.json()["data"]["deleted"]


def killed_when(stack: Stack, condition: Callable[[], bool]) -> None:
    until(condition, every_seconds=0.001)
    kill(stack)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    """What is answered before the deletion, and after it."""
    directory = tmp_path_factory.mktemp("expected")
    for name, deleted in (("before", False), ("after", True)):
        record(directory / name, deleted=deleted)
    return answers(directory / "before"), answers(directory / "after")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", STAGES)
def test_a_deletion_that_is_killed_is_whole_or_nothing_and_never_comes_back(
    stage: str, tmp_path: Path, expected: tuple[list[Any], list[Any]]
) -> None:
    before, after = expected
    path = tmp_path / "vumeter.db"
    record(path)
    stack = start_stack(tmp_path, **SETTINGS)
    deleting = Deleting(stack, stack.make_key("org-1"))
    with closing(sqlite3.connect(path)) as connection, connection:
        # The key is of the organization that recorded.
        connection.execute("UPDATE api_keys SET organization_id = 1")
    deleting.start()
    killed_when(stack, lambda: shows(path, STAGES[stage]))
    deleting.join()
    found = answers(path)
    assert found in (before, after)
    assert deleting.deleted in (None, 6 * DAYS)
    if deleting.deleted is not None or stage == "applied":
        assert found == after
    # Whoever asked has gone; what was asked for is done all the same, even if it is killed again.
    until_done = "SELECT 1 FROM point_deletions WHERE is_done = 0"
    killed_when(start_stack(tmp_path, **SETTINGS), lambda: shows(path, STAGES["applied"]))
    assert answers(path) == after
    stack = start_stack(tmp_path, **SETTINGS)
    until(lambda: not shows(path, until_done))
    assert stack.stop() == 0
    assert answers(path) == after
    # The space of what was replaced is not kept: every segment is one that is listed.
    assert not shows(
        path,
        "SELECT 1 FROM metric_columns c WHERE NOT EXISTS (SELECT 1 FROM metric_days d"
        " WHERE d.organization_id = c.organization_id AND d.day = c.day AND d.part = c.part)",
    )
