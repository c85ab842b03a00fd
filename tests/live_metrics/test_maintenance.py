"""What is done beside calls, by the clock of a test and by that of a running product."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.conformance.access.memory_audit import MemoryAuditLog
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.live_metrics.making import event
from tests.live_metrics.stores import HOUR, MINUTE, NINE, Ground, ground, history, lists
from tests.stack import start_stack
from tests.waiting import until

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.errors import Unavailable
from vumeter_server.live_metrics.maintenance import LiveMaintenance
from vumeter_server.live_metrics.model import EventType
from vumeter_server.runtime.clock_guard import ClockGuard

T = EventType
DAY = 24 * HOUR


def guard_of(land: Ground) -> ClockGuard:
    """Return a guard for which time passes as the test says, without a jump."""
    return ClockGuard(land.clock, None, land.clock)


async def test_a_call_is_closed_when_nothing_was_received_for_its_time_to_live(
    tmp_path: Path,
) -> None:
    land = ground(tmp_path)
    async with land.store() as (store, view):
        maintenance = LiveMaintenance(
            store=store,
            audit=MemoryAuditLog(),
            guard=guard_of(land),
            call_ttl_us=4 * HOUR,
            retention_days=400,
        )
        await store.record([event(T.STARTED)])
        land.clock.now_us += 4 * HOUR - 1
        await maintenance.close_stuck_calls()
        assert lists(view) == {"call_1": ("clinic", "active")}
        land.clock.now_us += 1
        await maintenance.close_stuck_calls()
        assert lists(view) == {}


async def test_events_are_dropped_after_the_days_of_retention(tmp_path: Path) -> None:
    land = ground(tmp_path)
    land.clock.now_us = NINE + HOUR
    async with land.store() as (store, _):
        maintenance = LiveMaintenance(
            store=store,
            audit=MemoryAuditLog(),
            guard=guard_of(land),
            call_ttl_us=HOUR,
            retention_days=2,
        )
        await store.record([event(T.STARTED), event(T.ENDED, at=60)])
        await maintenance.compute_peaks()
        land.clock.now_us += 2 * DAY
        await maintenance.drop_old_events()
        (kept,) = await history(store, None, NINE, NINE + MINUTE, MINUTE)
        land.clock.now_us += 1
        await maintenance.drop_old_events()
        (dropped,) = await history(store, None, NINE, NINE + MINUTE, MINUTE)
        assert (kept["started_calls"], dropped["started_calls"]) == (1, 0)
        assert (kept["peak_active_calls"], dropped["peak_active_calls"]) == (1, 0)


async def test_work_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0
    enough = asyncio.Event()
    land = ground(tmp_path)
    async with land.store() as (store, _):

        async def close_stuck(quiet_since_us: int) -> int:
            nonlocal tried
            tried += 1
            if tried == 3:
                enough.set()
            raise Unavailable("Storage is busy or full") if tried % 2 else ValueError("broken")

        monkeypatch.setattr(store, "close_stuck", close_stuck)
        maintenance = LiveMaintenance(
            store=store,
            audit=MemoryAuditLog(),
            guard=guard_of(land),
            call_ttl_us=HOUR,
            retention_days=400,
        )
        (closing,) = (each for each in maintenance.steps if each.name == "close_stuck_calls")
        keeping = asyncio.create_task(replace(closing, every_seconds=0.0).run_forever())
        await asyncio.wait_for(enough.wait(), 5)
        keeping.cancel()


def test_a_running_product_closes_stuck_calls(tmp_path: Path) -> None:
    stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false", VUMETER_CALL_TTL="1s500ms")
    live = live_api(stack)
    try:
        # What occurred before the start by more than the TTL is in no total.
        now = datetime.now(UTC).isoformat()
        call = {"call_id": "call_1", "tenant_id": "clinic", "occurred_at": now}
        live.record({**call, "event_id": "e1", "type": "audio", "minutes": 0.5})
        live.record({**call, "event_id": "e2", "type": "started"})
        assert live.get(f"{PATHS}/live").json()["active_calls"] == 1
        until(lambda: live.get(f"{PATHS}/live").json()["active_calls"] == 0, every_seconds=0.1)
        after = live.get(f"{PATHS}/live/clinic").json()
        assert (after["ended_calls"], after["failed_calls"]) == (1, 1)
        assert after["minutes_processed"] == 0.5
        timed_out = pb.EndedCallsByOutcome(timed_out=1)
        asked = pb.GetLiveMetricsRequest(tenant_id="clinic")
        told = live.stub.GetLiveMetrics(asked, metadata=live.metadata)
        assert told.metrics.ended_calls_by_outcome == timed_out
        for child in stack.children():
            os.kill(child, signal.SIGKILL)
        stack.wait()
        live.channel.close()
        # Nothing is closed now: what is there was on disk.
        stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false", VUMETER_CALL_TTL="4h")
        live = live_api(stack)
        assert [each.metrics.ended_calls_by_outcome for each in history_of_today(live)] == [
            timed_out
        ]
        # Its own end may come yet, whatever it says.
        long_ago = {**call, "occurred_at": "2025-04-01T09:00:00Z"}
        live.record({**long_ago, "event_id": "e3", "type": "ended", "outcome": "voicemail"})
        assert [each.metrics.ended_calls for each in history_of_today(live)] == [0]
        told = live.stub.GetLiveMetrics(asked, metadata=live.metadata)
        # It ended in the epoch before this one.
        assert (told.metrics.ended_calls, told.metrics.active_calls) == (0, 0)
    finally:
        live.channel.close()
        stack.stop()


def history_of_today(live: LiveApi) -> Sequence[pb.HistoryBucket]:
    """Return the one bucket of the day up to now in which calls are closed."""
    asked = pb.GetHistoryRequest()
    asked.end_time.GetCurrentTime()
    asked.end_time.seconds += 3600
    asked.start_time.seconds = asked.end_time.seconds - 86_400
    asked.start_time.nanos = asked.end_time.nanos
    asked.step.seconds = 86_400
    return list(live.stub.GetHistory(asked, metadata=live.metadata).buckets)
