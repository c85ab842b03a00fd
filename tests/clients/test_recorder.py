"""What a recorder takes is what the product answers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.clients.agents import outcome
from tests.clients.conftest import Organization

from vumeter_client import Recorder, Stats
from vumeter_server.access.roles import Role


def recorder_of(organization: Organization, **options: Any) -> Recorder:
    return Recorder(organization.url, organization.bearer, **options)


def test_every_kind_of_point_arrives_as_it_was_recorded(organization: Organization) -> None:
    at = datetime(2025, 4, 1, 18, 0, 9, 250_000, tzinfo=timezone(timedelta(hours=8)))
    with recorder_of(
        organization, agent_id="agent_xyz", environment_id="production", tags={"company_id": "abc"}
    ) as recorder:
        session = recorder.bind(session_id="s1", tags={"origin": "phone"})
        assert session.count("booking_attempt")
        assert session.count("booking_attempt", 2, tags={"vip": True, "line": 3.0, "note": None})
        assert session.gauge("concurrent_sessions", 7)
        assert session.histogram("e2e_latency_ms", 640.5, tags={"origin": "web"})
        assert session.record(
            "call_cost_usd", 0.25, type="counter", timestamp=at, agent_id="night", tags={}
        )
        assert recorder.flush(30)
        assert outcome(recorder) == (5, 5, 0, 0, 0)
    labels = {
        "agent_id": "agent_xyz",
        "environment_id": "production",
        "company_id": "abc",
        "origin": "phone",
    }
    assert sorted(organization.session("s1"), key=str) == sorted(
        [
            ("booking_attempt", labels, "1"),
            ("booking_attempt", labels | {"vip": "true", "line": "3"}, "2"),
            ("call_cost_usd", labels | {"agent_id": "night"}, "0.25"),
            ("concurrent_sessions", labels, "7"),
            ("e2e_latency_ms", labels | {"origin": "web"}, "640.5"),
        ],
        key=str,
    )
    (series,) = organization.get(
        "/timeseries",
        metricName="call_cost_usd",
        startDate="2025-04-01T10:00:09.25Z",
        endDate="2025-04-01T10:00:09.250001Z",
    )["result"]
    assert [value for _, value in series["values"]] == ["0.25"]


def test_a_point_has_the_time_of_its_recording(organization: Organization) -> None:
    before = datetime.now(UTC)
    with recorder_of(organization, interval=60) as recorder:
        recorder.count("turns")
        after = datetime.now(UTC)
        recorder.count("turns", tags={"late": "yes"})
    asked = {"metricName": "turns", **_between(before, after)}
    (point,) = organization.get("/timeseries", **asked)["result"]
    assert [value for _, value in point["values"]] == ["1"]


def _between(start: datetime, end: datetime) -> dict[str, str]:
    return {
        "startDate": start.isoformat(),
        "endDate": (end + timedelta(microseconds=1)).isoformat(),
        "step": "1h",
        "tags": json.dumps({"late": ""}),
    }


def test_numbers_of_other_libraries_are_numbers(organization: Organization) -> None:
    with recorder_of(organization) as recorder:
        for value in (np.float32(1.5), np.int64(2), np.float64(4.0), Decimal("0.5")):
            assert recorder.count("turns", value)  # type: ignore[arg-type]
    assert organization.totals() == {"turns": 8}


def test_many_threads_and_loops_record_at_once(organization: Organization) -> None:
    with recorder_of(organization, interval=0.05) as recorder:

        def in_thread(number: int) -> None:
            for _ in range(2_000):
                recorder.count("turns", tags={"thread": str(number)})

        async def in_loop() -> None:
            for _ in range(500):
                recorder.count("turns", tags={"thread": "loop"})
                await asyncio.sleep(0)

        threads = [threading.Thread(target=in_thread, args=[number]) for number in range(4)]
        threads += [threading.Thread(target=lambda: asyncio.run(in_loop())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert recorder.flush(60)
        assert outcome(recorder) == (9_000, 9_000, 0, 0, 0)
    rows = organization.totals(groupBy="thread")
    assert {row["thread"]: row["metrics"]["turns"] for row in rows} == {
        **{str(number): 2_000 for number in range(4)},
        "loop": 1_000,
    }


def test_settings_come_from_the_environment(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VUMETER_URL", organization.url + "/")
    monkeypatch.setenv("VUMETER_KEY", organization.key_of(Role.MEMBER))
    monkeypatch.setenv("VUMETER_AGENT_ID", "agent_xyz")
    monkeypatch.setenv("VUMETER_ENVIRONMENT_ID", "staging")
    with Recorder() as recorder:
        recorder.count("turns", session_id="s1")
    with Recorder(agent_id="agent_abc") as recorder:
        recorder.count("turns", session_id="s2")
    staging = {"environment_id": "staging"}
    assert organization.session("s1") == [("turns", {"agent_id": "agent_xyz"} | staging, "1")]
    assert organization.session("s2") == [("turns", {"agent_id": "agent_abc"} | staging, "1")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": None}, "there is no key: pass key=... or set VUMETER_KEY"),
        ({"key": "a b"}, "key must be <key id>.<secret>, in printable ASCII characters"),
        ({"url": "localhost:8080"}, "url must be http://HOST:PORT or https://HOST:PORT"),
        ({"url": "http://a.b@localhost"}, "url must have no user and no password"),
        ({"timeout": 0}, "interval, timeout, max_points and max_bytes must be positive"),
    ],
)
def test_wrong_settings_are_found_at_the_start(
    arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VUMETER_KEY", raising=False)
    with pytest.raises(ValueError, match=message.replace("*", r"\*")):
        Recorder(**({"key": "a.b"} | arguments))


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


def test_nothing_is_raised_into_the_agent(
    organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    bad: list[dict[str, Any]] = [
        {"value": float("nan")},
        {"value": "1"},
        {"value": True},
        {"value": object()},
        {"value": 1, "timestamp": datetime(2025, 4, 1)},
        {"value": 1, "timestamp": "2025-04-01"},
        {"value": 1, "timestamp": 1e300},
        {"value": 1, "tags": {"origin": Unprintable()}},
        {"value": 1, "tags": 7},
        {"value": 1, "session_id": object()},
        {"value": 1, "session_id": "\ud800"},
        {"value": 1, "tags": {"note": "x" * 70_000}},
    ]
    with recorder_of(organization) as recorder, caplog.at_level(logging.WARNING):
        for point in [*bad, *bad]:
            assert recorder.record("turns", **point) is False
        assert recorder.count("turns")
        assert recorder.flush(30)
        assert outcome(recorder) == (25, 1, 0, 24, 0)
        assert recorder.stats.last_rejection == "the point has more than 65,536 bytes"
    assert organization.totals() == {"turns": 1}
    reasons = [record.getMessage() for record in caplog.records]
    assert len(reasons) == len(set(reasons))
    assert "a point of 'turns' was rejected: value must be finite (said once)" in reasons


def test_after_it_is_closed_points_are_dropped_and_counted(organization: Organization) -> None:
    recorder = recorder_of(organization)
    recorder.count("turns")
    assert recorder.close(30)
    assert recorder.count("turns") is False
    assert recorder.close()
    assert recorder.flush()
    assert outcome(recorder) == (2, 1, 1, 0, 0)
    assert organization.totals() == {"turns": 1}


def test_a_recorder_that_recorded_nothing_asks_nobody() -> None:
    before = threading.active_count()
    with Recorder("http://127.0.0.1:1", "a.b") as recorder:
        assert recorder.flush()
        assert threading.active_count() == before
    assert recorder.stats == Stats(
        recorded=0,
        sent=0,
        dropped=0,
        rejected=0,
        pending=0,
        last_rejection=None,
        last_failure=None,
    )


@pytest.mark.parametrize("limit", ["points", "bytes"])
def test_a_full_buffer_drops_new_points_and_keeps_those_that_wait(
    limit: str, organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    room = {"max_points": 100} if limit == "points" else {"max_bytes": 10_000}
    with recorder_of(organization, interval=3_600, **room) as recorder:
        with caplog.at_level(logging.WARNING):
            taken = [recorder.count("turns", tags={"number": str(n)}) for n in range(1_000)]
        kept = taken.count(True)
        assert taken == [True] * kept + [False] * (1_000 - kept)
        assert outcome(recorder) == (1_000, 0, 1_000 - kept, 0, kept)
        assert kept == 100 if limit == "points" else 40 < kept < 80
        assert [each.getMessage() for each in caplog.records] == [
            "points are dropped: the buffer is full; until now 1"
        ]
        assert recorder.flush(30)
        # There is room again for what comes.
        assert recorder.count("turns", tags={"number": "later"})
    rows = organization.totals(groupBy="number")
    assert {row["number"] for row in rows} == {*map(str, range(kept)), "later"}


def test_a_forked_child_sends_its_own_points_and_none_of_its_parent(
    organization: Organization,
) -> None:
    with recorder_of(organization, interval=0.05) as recorder:
        recorder.count("turns", tags={"process": "parent"})
        assert recorder.flush(30)
        recorder.count("turns", tags={"process": "parent"})
        child = os.fork()
        if child == 0:
            done = recorder.stats.recorded == 0
            recorder.count("turns", tags={"process": "child"})
            done = recorder.flush(30) and done
            os._exit(0 if done else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert recorder.flush(30)
        assert outcome(recorder) == (2, 2, 0, 0, 0)
    rows = organization.totals(groupBy="process")
    assert {row["process"]: row["metrics"]["turns"] for row in rows} == {"parent": 2, "child": 1}
