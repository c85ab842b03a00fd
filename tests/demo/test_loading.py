"""Demo data: plausible, the same for everybody, and put into a database once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from tests.demo.asking import NOON_US, clock_at, settings_of, store_of, sums, totals
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.demo import custom_metrics
from vumeter_server.demo.loading import load_demo, play_demo
from vumeter_server.demo.stage import (
    Demo,
    DemoError,
    ShowProgress,
    Stage,
)
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US


def test_two_weeks_end_with_the_last_whole_hour() -> None:
    hours = custom_metrics.hours_before(NOON_US)
    assert len(hours) == 13 * 24 + 12
    assert hours[0] % DAY_US == 0
    assert hours[-1] + HOUR_US == NOON_US // HOUR_US * HOUR_US
    assert hours == list(range(hours[0], hours[-1] + HOUR_US, HOUR_US))


def test_an_hour_is_always_the_same_and_holds_its_own_points(
    requests_of_two_weeks: list[pb.StreamPointsRequest],
) -> None:
    for hour_us, request in zip(
        custom_metrics.hours_before(NOON_US), requests_of_two_weeks, strict=True
    ):
        assert request == custom_metrics.request_of_hour(hour_us)
        for point in request.points:
            assert hour_us <= point.occur_time.ToMicroseconds() <= hour_us + HOUR_US
    keys = [request.idempotency_key for request in requests_of_two_weeks]
    assert len(set(keys)) == len(keys)


def test_it_is_worth_looking_at(requests_of_two_weeks: list[pb.StreamPointsRequest]) -> None:
    points = [point for request in requests_of_two_weeks for point in request.points]
    assert 40_000 <= len(points) <= 80_000
    counts = Counter(point.name for point in points)
    assert counts["booking_completed"] < counts["booking_attempt"] < counts["sessions_handled"]
    assert counts["cancellation_completed"] < counts["cancellation_attempt"]
    assert counts["ttft_ms"] == counts["e2e_latency_ms"] > 5 * counts["sessions_handled"]
    sessions = [point for point in points if point.name == "sessions_handled"]
    assert len({point.session_id for point in sessions}) == len(sessions)
    for label, values in (("company_id", 5), ("branch_id", 9), ("origin", 2)):
        assert len({point.tags[label] for point in sessions}) == values
    assert len({point.agent_id for point in sessions}) == 3
    assert {point.environment_id for point in sessions} == {"production", "staging"}
    topics = Counter(point.tags["topic"] for point in points if point.name == "faq_query")
    assert topics.most_common(1)[0][0] == "pricing"
    weekdays = Counter(
        point.occur_time.ToDatetime().weekday()
        for point in sessions
        if point.tags["company_id"] == "nordlicht-physio"
    )
    assert weekdays[6] < weekdays[5] < weekdays[0]


async def test_it_is_loaded_once(empty: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_of(empty)
    now_us = NOON_US
    await load_demo(settings, empty.grpc_target, store_of(empty), clock=clock_at(now_us))
    assert "points of custom metrics of the organization demo" in capsys.readouterr().out
    loaded = totals(empty)
    assert loaded["sessions_handled"] > 1_000
    for later_us in (0, 39 * MINUTE_US, -5 * DAY_US):
        await load_demo(
            settings, empty.grpc_target, store_of(empty), clock=clock_at(now_us + later_us)
        )
    assert totals(empty) == loaded
    assert capsys.readouterr().out == ""


async def test_a_load_that_was_interrupted_goes_on_without_doubling(
    empty: Stack,
    requests_of_two_weeks: list[pb.StreamPointsRequest],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def interrupted(stage: Stage, show_progress: ShowProgress) -> int:
        def show(part: float) -> None:
            show_progress(part)
            if part > 0.4:
                raise DemoError("the lights went out")

        return await custom_metrics.load(stage, show)

    settings = settings_of(empty)
    broken = replace(custom_metrics.DEMO, load=interrupted)
    await load_demo(
        settings, empty.grpc_target, store_of(empty), demos=[broken], clock=clock_at(NOON_US)
    )
    assert "demo data is incomplete: the lights went out" in capsys.readouterr().err
    expected = sums(requests_of_two_weeks)
    assert totals(empty)["sessions_handled"] != expected["sessions_handled"]

    later = clock_at(NOON_US + 3 * HOUR_US)
    await load_demo(settings, empty.grpc_target, store_of(empty), clock=later)
    assert totals(empty) == expected


async def test_a_load_that_was_interrupted_long_ago_stays_as_it_is(empty: Stack) -> None:
    async def interrupted(stage: Stage, show_progress: ShowProgress) -> int:
        raise DemoError("the lights went out")

    demo = Demo(family="custom_metrics", load=interrupted, what="points")
    settings = settings_of(empty)
    await load_demo(
        settings, empty.grpc_target, store_of(empty), demos=[demo], clock=clock_at(NOON_US)
    )
    await load_demo(settings, empty.grpc_target, store_of(empty), clock=clock_at(NOON_US + DAY_US))
    assert totals(empty) == {}


async def test_playing_goes_on_until_it_is_cancelled(stack: Stack) -> None:
    seen = asyncio.Event()

    async def play(stage: Stage) -> None:
        assert stage.admin_token == stack.admin_token
        seen.set()
        await asyncio.Event().wait()

    playing = asyncio.create_task(
        play_demo(
            settings_of(stack),
            stack.grpc_target,
            store_of(stack),
            demos=[Demo(family="calls", play=play)],
        )
    )
    await asyncio.wait_for(seen.wait(), 5)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing


async def test_a_server_that_is_gone_is_one_line(
    stack: Stack, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    stack.make_key("demo")
    settings = settings_of(stack)
    await load_demo(settings, "127.0.0.1:1", store_of(stack), clock=clock_at(NOON_US))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vumeter: demo data is incomplete: ")


def test_up_loads_it_after_it_answers(tmp_path: Any) -> None:
    stack = start_stack(tmp_path, "--demo", VUMETER_ACCESS_LOG="false")
    try:
        until(lambda: totals(stack).get("sessions_handled", 0) > 1_000, seconds=30)
    finally:
        assert stack.stop() == 0
