"""What occurred long before the service started raises no total; history has it all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import grpc
import pytest
import requests
from tests.end_to_end.callers import Caller
from tests.stack import ADMIN_TOKEN, Start

PATHS = "/api/v1/metrics"
SERVICE = "vumeter.live_metrics.v1.LiveMetricsService"
OLD = datetime(2025, 4, 1, 9, tzinfo=UTC)
# Of one call that began long ago and ends now, of a new one, and of one that began twice.
EVENTS: list[dict[str, Any]] = [
    {"type": "started", "call_id": "long", "at": OLD},
    {"type": "audio", "call_id": "long", "minutes": 2, "at": OLD + timedelta(minutes=2)},
    {"type": "ended", "call_id": "long", "outcome": "failed", "minutes": 5, "at": None},
    {"type": "accepted", "call_id": "new", "at": None},
    # Another report of the same call: it was accepted long ago, and so is not counted.
    {"type": "accepted", "call_id": "twice", "at": None},
    {"type": "accepted", "call_id": "twice", "at": OLD},
]
WHOLLY_OLD: list[dict[str, Any]] = [
    {"type": "rejected", "call_id": "rejected", "reason": "capacity", "at": OLD},
    {"type": "started", "call_id": "over", "at": OLD},
    {"type": "ended", "call_id": "over", "outcome": "busy", "at": OLD + timedelta(minutes=3)},
    {"type": "referred", "call_id": "over", "at": OLD + timedelta(minutes=1)},
    {"type": "fallback_instructions_used", "at": OLD},
    {"type": "instructions_db_error", "at": OLD},
]


@pytest.fixture(scope="module")
def caller(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Somebody with the admin token, and a product that began now."""
    stack = start(tmp_path_factory.mktemp("old"), VUMETER_ACCESS_LOG="false", VUMETER_CALL_TTL="1h")
    try:
        with grpc.insecure_channel(stack.grpc_target) as channel, requests.Session() as session:
            credentials = {"x-admin-token": ADMIN_TOKEN}
            yield Caller(stack=stack, channel=channel, session=session, credentials=credentials)
    finally:
        stack.stop()


def sent(tenant: str, number: int, event: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return an event of the REST body; its ids are the tenant's own."""
    at = event["at"] or now
    named = {"call_id": f"{tenant}-{event['call_id']}"} if "call_id" in event else {}
    rest = {name: value for name, value in event.items() if name not in {"at", "call_id"}}
    time = at.isoformat().replace("+00:00", "Z")
    return {
        "event_id": f"{tenant}-{number}",
        "tenant_id": tenant,
        "occurred_at": time,
        **named,
        **rest,
    }


def typed(event: dict[str, Any]) -> dict[str, Any]:
    """Return the same event as a typed message."""
    words = {"type": "EVENT_TYPE", "outcome": "CALL_OUTCOME", "reason": "REJECTION_REASON"}
    found = {
        name: f"{words[name]}_{value.upper()}" if name in words else value
        for name, value in event.items()
    }
    found["occur_time"] = found.pop("occurred_at")
    return found


def live(caller: Caller, tenant: str) -> dict[str, float]:
    """Return the counters that are not 0; both APIs say the same."""
    counters = caller.get(f"{PATHS}/live/{tenant}").body
    answer = caller.rpc(f"{SERVICE}/GetLiveMetrics", {"tenant_id": tenant}).body["metrics"]
    found = {name: value for name, value in counters.items() if value}
    assert {name: float(answer[name]) for name in found} == found
    return found


def history(caller: Caller, tenant: str) -> dict[str, float]:
    """Return what one day of 2025 and all time since counted, without the zeros."""
    end = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    query = {"tenant_id": tenant, "startDate": "2025-04-01", "endDate": end, "step": "3000d"}
    (bucket,) = caller.get(f"{PATHS}/history", **query).body["data"]
    return {name: value for name, value in bucket.items() if value and name != "start"}


def test_in_every_order_and_by_every_way_the_totals_are_the_same(caller: Caller) -> None:
    now = datetime.now(UTC)
    expected = {"accepted_calls": 1, "ended_calls": 1, "failed_calls": 1, "minutes_processed": 5}
    for number, order in enumerate(permutations(EVENTS)):
        if number % 40:
            continue
        tenant = f"order-{number}"
        batch = [sent(tenant, EVENTS.index(event), event, now) for event in order]
        match number // 40 % 3:
            case 0:
                answer = caller.post(f"{PATHS}/events", {"events": batch})
            case 1:
                answer = caller.rpc(
                    f"{SERVICE}/RecordEvents", {"events": [typed(each) for each in batch]}
                )
            case _:
                answer = caller.rpc(
                    f"{SERVICE}/StreamEvents", [{"events": [typed(each)]} for each in batch]
                )
        assert answer.code == 0, answer.body
        assert live(caller, tenant) == expected, order
        assert history(caller, tenant) == {
            **expected,
            "accepted_calls": 3,
            "started_calls": 1,
            "peak_active_calls": 1,
        }


def test_old_calls_are_listed_and_in_history_and_in_no_total(caller: Caller) -> None:
    now = datetime.now(UTC)
    batch = [sent("past", number, event, now) for number, event in enumerate(WHOLLY_OLD)]
    open_call = {"type": "started", "call_id": "still open", "at": OLD}
    batch.append(sent("past", 99, open_call, now))
    assert caller.post(f"{PATHS}/events", {"events": batch}).body == {"recorded": 7}
    # What is active is a state and no total.
    assert live(caller, "past") == {"active_calls": 1}
    assert history(caller, "past") == {
        "active_calls": 1,
        "peak_active_calls": 2,
        "accepted_calls": 2,
        "started_calls": 2,
        "rejected_calls_capacity": 1,
        "ended_calls": 1,
        "referred_calls": 1,
        "minutes_processed": 3,
        "instructions_db_errors": 1,
        "fallback_instructions_used": 1,
    }


def test_what_occurred_within_the_time_to_live_before_the_start_counts(caller: Caller) -> None:
    now = datetime.now(UTC)
    for minutes, is_counted in ((50, True), (70, False)):
        tenant = f"before-{minutes}"
        event = {"type": "started", "call_id": "c", "at": now - timedelta(minutes=minutes)}
        caller.post(f"{PATHS}/events", {"events": [sent(tenant, 1, event, now)]})
        assert live(caller, tenant) == {
            "active_calls": 1,
            **({"accepted_calls": 1, "started_calls": 1} if is_counted else {}),
        }
