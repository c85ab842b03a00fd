"""`vumeter export events` and `calls`, and what reads them: one round each, in every format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.commands.transferring import Clinic
from tests.stack import ADMIN_TOKEN, Stack, start_stack

FORMATS = ("csv", "ndjson", "parquet")
EXECUTION = "5819e158-0000-4000-8000-000000000001"
EVENTS: list[dict[str, Any]] = [
    {"event_id": "e 1", "type": "pending", "call_id": 'c,"1"', "sequence": 0},
    {"event_id": "e 2,'", "type": "rejected", "call_id": 'c,"1"', "reason": "capacity"},
    {"event_id": "e3", "type": "started", "call_id": "東京"},
    {"event_id": "e4", "type": "audio", "call_id": "東京", "minutes": 0.1 + 0.2},
    {"event_id": "e5", "type": "ended", "call_id": "東京", "outcome": "busy", "minutes": 2},
    {"event_id": "e6", "type": "instructions_db_error"},
]
CALLS: list[dict[str, Any]] = [
    {
        "call_execution_id": f"5af9e484-0000-4000-8000-{number:012}",
        "execution_id": EXECUTION,
        "status": "failed",
        "duration_seconds": number / 8,
        "latency": {
            "avg_agent_latency_ms": 1234.5,
            "response_time_ms": None,
            "customer_latency_metrics": {"a": [1, {"b": 'x,"\n'}]},
        },
        "chat_metrics": {"turn_count": 3},
    }
    for number in range(1_200)
]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product without a call, since events belong to no organization."""
    started = start_stack(tmp_path_factory.mktemp("other"), VUMETER_ACCESS_LOG="false")
    yield started
    started.stop()


def history(stack: Stack, tenant_id: str) -> Any:
    asked = {"startDate": "2025-04-01", "endDate": "2025-04-02", "tenant_id": tenant_id}
    return requests.get(
        f"{stack.rest_url}/api/v1/metrics/history",
        params=asked,
        headers={"x-admin-token": ADMIN_TOKEN},
        timeout=20,
    ).json()


@pytest.mark.parametrize("file_format", FORMATS)
def test_events_make_the_same_history_again(
    stack: Stack,
    other: Stack,
    tmp_path: Path,
    file_format: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VUMETER_ADMIN_TOKEN", ADMIN_TOKEN)
    tenant = f"moved as {file_format}"
    events = [
        {
            **event,
            "event_id": f"{event['event_id']} {file_format}",
            "tenant_id": tenant,
            "occurred_at": f"2025-04-01T10:0{place}:00.00000{place}Z",
        }
        for place, event in enumerate(EVENTS)
    ]
    for event in events:
        if "call_id" in event:
            event["call_id"] += file_format
    answer = requests.post(
        f"{stack.rest_url}/api/v1/metrics/events",
        json={"events": events},
        headers={"x-admin-token": ADMIN_TOKEN},
        timeout=20,
    )
    assert answer.json() == {"recorded": len(events)}, answer.text
    with_token = Clinic.of(stack).with_token()
    file = tmp_path / f"events.{file_format}"
    ended = with_token.run("export", "events", file, "--tenant", tenant)
    assert (ended.status, ended.out) == (0, "exported 6 events\n"), ended.err
    for _ in range(2):
        ended = with_token.run("import", "events", file, target=other.grpc_target)
        assert (ended.status, ended.out) == (0, "recorded 6 events, refused 0\n"), ended.err
    assert history(other, tenant) == history(stack, tenant)
    moved = with_token.run("export", "events", "-", "--tenant", tenant, target=other.grpc_target)
    assert [json.loads(line) for line in moved.data.splitlines()] == [
        {**event, "occurred_at": event["occurred_at"].replace(":00.000000Z", ":00Z")}
        for event in events
    ]
    early = with_token.run(
        *("export", "events", "-", "--tenant", tenant, "--end", "2025-04-01T10:02:00")
    )
    assert len(early.data.splitlines()) == 2


def test_events_that_are_refused_are_named_by_line(other: Stack, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    good = {"event_id": "r1", "type": "started", "call_id": "r", "tenant_id": "refused"}
    good["occurred_at"] = "2025-04-01T10:00:00Z"
    bad: list[dict[str, Any]] = [
        {**good, "type": "began"},
        {**good, "event_id": "r2", "occurred_at": "2100-01-01T00:00:00Z"},
        {**good, "call_id": "another"},
        {**good, "event_id": "r3", "type": "ended"},
    ]
    file.write_text("".join(json.dumps(each) + "\n" for each in (good, *bad)))
    ended = Clinic.of(other).with_token().run("import", "events", file)
    assert (ended.status, ended.out) == (1, "recorded 1 events, refused 4\n")
    told = sorted(each.partition(": ")[2] for each in ended.err.splitlines())
    assert [each.split(" must ")[0] for each in told[:2]] == ["line 2: type", "line 3: occurred_at"]
    assert told[2].startswith("line 4: event_id was used before")
    assert told[3].startswith("line 5: outcome must be given")


@pytest.mark.parametrize("file_format", FORMATS)
def test_calls_are_the_same_again(stack: Stack, tmp_path: Path, file_format: str) -> None:
    clinic, copy = Clinic.of(stack), Clinic.of(stack)
    url = f"{stack.rest_url}/sdk/api/v1/simulation"
    for each in (clinic, copy):
        body = {"execution_id": EXECUTION, "run_test_name": "Moved"}
        done = requests.post(f"{url}/executions", json=body, headers=each.pair, timeout=20)
        assert done.status_code == 200, done.text
    recorded = requests.post(f"{url}/calls", json={"calls": CALLS}, headers=clinic.pair, timeout=20)
    assert recorded.status_code == 200, recorded.text
    file = tmp_path / f"calls.{file_format}"
    assert clinic.run("export", "calls", file).out == "exported 1200 calls\n"
    ended = copy.run("import", "simulation", file)
    assert (ended.status, ended.out) == (0, "recorded 1200 calls, refused 0\n"), ended.err
    answers = [
        requests.get(
            f"{url}/metrics", params={"execution_id": EXECUTION}, headers=each.pair, timeout=20
        ).json()
        for each in (clinic, copy)
    ]
    assert answers[0] == answers[1]
    lines = [
        each.run("export", "calls", "-", "--run-test", "Moved").data for each in (clinic, copy)
    ]
    assert lines[0] == lines[1]
    assert len(lines[0].splitlines()) == 1_200
    assert clinic.run("export", "calls", "-", "--run-test", "Another").data == b""
