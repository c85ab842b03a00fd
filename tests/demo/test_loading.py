"""Demo data: plausible, the same for everybody, and put into a database once."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from tests.commands.command import parsed, vumeter
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.demo import custom_metrics, simulation
from vumeter_server.demo.loading import load_demo, play_demo
from vumeter_server.demo.stage import (
    MAX_EXTENDED_DAYS,
    Demo,
    DemoError,
    ShowProgress,
    Stage,
)
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.settings import Settings
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US

NOON_US = int(datetime(2026, 3, 19, 12, 20, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def requests_of_two_weeks() -> list[pb.StreamPointsRequest]:
    return [
        custom_metrics.request_of_hour(hour_us) for hour_us in custom_metrics.hours_before(NOON_US)
    ]


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    started = start_stack(tmp_path_factory.mktemp("empty"), VUMETER_ACCESS_LOG="false")
    yield started
    started.stop()


def clock_at(now_us: int) -> Clock:
    return lambda: now_us


def settings_of(stack: Stack) -> Settings:
    return Settings(db=stack.db_path, admin_token=SecretStr(stack.admin_token))


def totals(stack: Stack) -> dict[str, float]:
    """Return what the demo's organization holds."""
    bearer = stack.make_key("demo").bearer
    answer = requests.get(
        f"{stack.rest_url}/v1/custom-metrics/aggregate",
        params={"startDate": "2026-01-01", "endDate": "2027-12-31"},
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=10,
    )
    found: dict[str, float] = answer.json()["data"]
    return found


def record(stack: Stack, points: list[dict[str, Any]]) -> None:
    """Record points of somebody else in the demo's organization."""
    answer = requests.post(
        f"{stack.rest_url}/v1/custom-metrics",
        json={"points": points},
        headers={"Authorization": f"Bearer {stack.make_key('demo').bearer}"},
        timeout=10,
    )
    assert answer.ok


def nights(stack: Stack) -> list[str]:
    """Return when the executions of the demo's run test began, newest first."""
    key = stack.make_key("demo")
    answer = requests.get(
        f"{stack.rest_url}/sdk/api/v1/simulation/metrics",
        params={"run_test_name": simulation.RUN_TEST, "limit": "100"},
        headers={"X-Api-Key": key.key_id, "X-Secret-Key": key.secret},
        timeout=10,
    )
    found = answer.json().get("result", {}).get("results", [])
    return [each["started_at"] for each in found]


def sums(requests_of_hours: list[pb.StreamPointsRequest]) -> dict[str, Any]:
    found: dict[str, float] = defaultdict(float)
    for request in requests_of_hours:
        for point in request.points:
            found[point.name] += point.value
    return {name: pytest.approx(total, rel=1e-9) for name, total in sorted(found.items())}


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
    await load_demo(settings, empty.grpc_target, clock=clock_at(now_us))
    assert "points of custom metrics of the organization demo" in capsys.readouterr().out
    loaded = totals(empty)
    assert loaded["sessions_handled"] > 1_000
    for later_us in (0, 39 * MINUTE_US, -5 * DAY_US):
        await load_demo(settings, empty.grpc_target, clock=clock_at(now_us + later_us))
    assert totals(empty) == loaded
    assert capsys.readouterr().out == ""


async def test_it_is_extended_at_later_starts_and_nothing_is_there_twice(
    empty: Stack,
    requests_of_two_weeks: list[pb.StreamPointsRequest],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_of(empty)
    expected = list(requests_of_two_weeks)
    from_us = NOON_US
    await load_demo(settings, empty.grpc_target, clock=clock_at(NOON_US))
    # Two weeks later, and again after 40 minutes, in which an hour ends.
    for passed_us in (14 * DAY_US + 3 * HOUR_US, 40 * MINUTE_US):
        now_us = from_us + passed_us
        await load_demo(settings, empty.grpc_target, clock=clock_at(now_us))
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
    await load_demo(settings, empty.grpc_target, clock=clock_at(NOON_US))
    db = empty.db_path
    organization = ("--organization", "demo")
    vumeter("metrics", "delete", *organization, "faq_query", "ttft_ms", "--yes", db=db)
    vumeter("run-tests", "delete", *organization, simulation.RUN_TEST, "--yes", db=db)
    # Recorded again, as something else, and points of another's beside those of the demo.
    own = [
        {"name": "ttft_ms", "type": "gauge", "value": 5, "timestamp": "2026-03-01T00:00:00Z"},
        {"name": "sessions_handled", "value": 1_000_000, "timestamp": "2026-03-01T00:00:00Z"},
    ]
    record(empty, own)
    before = totals(empty)
    await load_demo(settings, empty.grpc_target, clock=clock_at(NOON_US + 2 * DAY_US))
    after = totals(empty)
    assert after.keys() == before.keys()
    assert "faq_query" not in after
    assert after["ttft_ms"] == 5
    assert before["sessions_handled"] < after["sessions_handled"] < 1_010_000
    assert after["sessions_handled"] - before["sessions_handled"] > 100
    assert nights(empty) == []


async def test_an_organization_that_was_deleted_gets_no_more(empty: Stack) -> None:
    settings = settings_of(empty)
    await load_demo(settings, empty.grpc_target, clock=clock_at(NOON_US))
    vumeter("organizations", "delete", "demo", "--yes", db=empty.db_path)
    await load_demo(settings, empty.grpc_target, clock=clock_at(NOON_US + 2 * DAY_US))
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
    await load_demo(settings, empty.grpc_target, demos=demos, clock=clock_at(NOON_US))
    now_us = NOON_US + 3 * DAY_US
    await load_demo(settings, empty.grpc_target, demos=broken, clock=clock_at(now_us))
    await load_demo(settings, empty.grpc_target, demos=demos, clock=clock_at(now_us + 2 * HOUR_US))
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
    await load_demo(settings, empty.grpc_target, demos=[broken], clock=clock_at(NOON_US))
    assert "demo data is incomplete: the lights went out" in capsys.readouterr().err
    expected = sums(requests_of_two_weeks)
    assert totals(empty)["sessions_handled"] != expected["sessions_handled"]

    later = clock_at(NOON_US + 3 * HOUR_US)
    await load_demo(settings, empty.grpc_target, clock=later)
    assert totals(empty) == expected


async def test_a_load_that_was_interrupted_long_ago_stays_as_it_is(empty: Stack) -> None:
    async def interrupted(stage: Stage, show_progress: ShowProgress) -> int:
        raise DemoError("the lights went out")

    demo = Demo(family="custom_metrics", load=interrupted, what="points")
    settings = settings_of(empty)
    await load_demo(settings, empty.grpc_target, demos=[demo], clock=clock_at(NOON_US))
    await load_demo(settings, empty.grpc_target, clock=clock_at(NOON_US + DAY_US))
    assert totals(empty) == {}


async def test_playing_goes_on_until_it_is_cancelled(stack: Stack) -> None:
    seen = asyncio.Event()

    async def play(stage: Stage) -> None:
        assert stage.admin_token == stack.admin_token
        seen.set()
        await asyncio.Event().wait()

    playing = asyncio.create_task(
        play_demo(settings_of(stack), stack.grpc_target, demos=[Demo(family="calls", play=play)])
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
    await load_demo(settings, "127.0.0.1:1", clock=clock_at(NOON_US))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vumeter: demo data is incomplete: ")


def test_up_loads_it_after_it_answers(tmp_path: Any) -> None:
    stack = start_stack(tmp_path, "--demo", VUMETER_ACCESS_LOG="false")
    try:
        until(lambda: totals(stack).get("sessions_handled", 0) > 1_000, seconds=30)
    finally:
        assert stack.stop() == 0
