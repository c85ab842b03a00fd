"""Demo data is extended to the time of each start; what was changed meanwhile stays changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.commands.command import parsed, vumeter
from tests.demo.asking import NOON_US, clock_at, nights, record, settings_of, store_of, sums, totals
from tests.stack import Stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.demo import custom_metrics, simulation
from vumeter_server.demo.loading import load_demo
from vumeter_server.demo.stage import MAX_EXTENDED_DAYS, DemoError, ShowProgress, Stage
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US


async def test_it_is_extended_at_later_starts_and_nothing_is_there_twice(
    empty: Stack,
    requests_of_two_weeks: list[pb.StreamPointsRequest],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_of(empty)
    expected = list(requests_of_two_weeks)
    from_us = NOON_US
    await load_demo(settings, empty.grpc_target, store_of(empty), clock=clock_at(NOON_US))
    # Two weeks later, and again after 40 minutes, in which an hour ends.
    for passed_us in (14 * DAY_US + 3 * HOUR_US, 40 * MINUTE_US):
        now_us = from_us + passed_us
        await load_demo(settings, empty.grpc_target, store_of(empty), clock=clock_at(now_us))
        hours = custom_metrics.hours_between(from_us, now_us)
        assert hours[-1] + HOUR_US == now_us // HOUR_US * HOUR_US
        expected += [custom_metrics.request_of_hour(hour_us) for hour_us in hours]
        from_us = now_us
    assert totals(empty) == sums(expected)
    keys = [request.idempotency_key for request in expected]
    assert len(set(keys)) == len(keys) == 13 * 24 + 12 + 14 * 24 + 3 + 1
    assert len(nights(empty)) == 12 + 14
    assert nights(empty)[0] == "2026-04-02T02:00:00.000Z"
    assert "420 simulated calls" in capsys.readouterr().out


async def test_what_was_changed_stays_changed_when_it_is_extended(empty: Stack) -> None:
    settings = settings_of(empty)
    await load_demo(settings, empty.grpc_target, store_of(empty), clock=clock_at(NOON_US))
    db = empty.db_path
    organization = ("--organization", "demo")
    for metric in ("faq_query", "ttft_ms"):
        vumeter("metrics", "delete", *organization, metric, "--yes", db=db)
    vumeter("run-tests", "delete", *organization, simulation.RUN_TEST, "--yes", db=db)
    # Recorded again, as something else, and points of another's beside those of the demo.
    own = [
        {"name": "ttft_ms", "type": "gauge", "value": 5, "timestamp": "2026-03-01T00:00:00Z"},
        {"name": "sessions_handled", "value": 1_000_000, "timestamp": "2026-03-01T00:00:00Z"},
    ]
    record(empty, own)
    before = totals(empty)
    await load_demo(
        settings, empty.grpc_target, store_of(empty), clock=clock_at(NOON_US + 2 * DAY_US)
    )
    after = totals(empty)
    assert after.keys() == before.keys()
    assert "faq_query" not in after
    assert after["ttft_ms"] == 5
    assert before["sessions_handled"] < after["sessions_handled"] < 1_010_000
    assert after["sessions_handled"] - before["sessions_handled"] > 100
    assert nights(empty) == []


async def test_an_organization_that_was_deleted_gets_no_more(empty: Stack) -> None:
    settings = settings_of(empty)
    await load_demo(settings, empty.grpc_target, store_of(empty), clock=clock_at(NOON_US))
    vumeter("organizations", "delete", "demo", "--yes", db=empty.db_path)
    await load_demo(
        settings, empty.grpc_target, store_of(empty), clock=clock_at(NOON_US + 2 * DAY_US)
    )
    listed = parsed(vumeter("organizations", "list", "--format", "json", db=empty.db_path))
    assert listed == []


async def test_an_extension_that_was_interrupted_goes_on(
    empty: Stack, requests_of_two_weeks: list[pb.StreamPointsRequest]
) -> None:
    async def interrupted(stage: Stage, show_progress: ShowProgress) -> int:
        def show(part: float) -> None:
            if part > 0.4:
                raise DemoError("the lights went out")

        return await custom_metrics.load(stage, show)

    settings = settings_of(empty)
    demos = [custom_metrics.DEMO]
    broken = [replace(custom_metrics.DEMO, load=interrupted)]
    await load_demo(
        settings, empty.grpc_target, store_of(empty), demos=demos, clock=clock_at(NOON_US)
    )
    now_us = NOON_US + 3 * DAY_US
    await load_demo(
        settings, empty.grpc_target, store_of(empty), demos=broken, clock=clock_at(now_us)
    )
    await load_demo(
        settings,
        empty.grpc_target,
        store_of(empty),
        demos=demos,
        clock=clock_at(now_us + 2 * HOUR_US),
    )
    hours = custom_metrics.hours_between(NOON_US, now_us)
    expected = sums(
        [*requests_of_two_weeks, *(custom_metrics.request_of_hour(hour) for hour in hours)]
    )
    assert totals(empty) == expected


def test_after_a_long_time_it_is_extended_by_the_last_days() -> None:
    hours = custom_metrics.hours_between(NOON_US - 900 * DAY_US, NOON_US)
    assert len(hours) == MAX_EXTENDED_DAYS * 24
    executions = list(simulation.later_executions(NOON_US - 900 * DAY_US, NOON_US))
    assert len(executions) == MAX_EXTENDED_DAYS
    assert executions == list(simulation.later_executions(NOON_US - 900 * DAY_US, NOON_US))
    ids = {call.call_execution_id for _, calls in executions for call in calls}
    assert len(ids) == MAX_EXTENDED_DAYS * simulation.CALLS
