"""Whatever state points are laid out in, and while they are laid out anew, answers are equal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from tests.custom_metrics.cases import canonical
from tests.custom_metrics.in_process import NOW_US, InProcess
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.sqlite.few_as_many import let_few_be_many
from tests.custom_metrics.strategies import Point, Query, recordings_with_queries
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite.maintenance import flush

DAILY = {"startDate": "2025-04-01", "endDate": "2025-06-20"}
# A range that ends where no rollup interval does, and days that are not those of UTC.
ANYWHERE = {
    "startDate": "2025-04-03T05:07:11.5Z",
    "endDate": "2025-06-11T21:52:00Z",
    "timezone": "Asia/Kolkata",
}
# Many bounds within the same intervals.
A_DAY = {**ANYWHERE, "endDate": "2025-04-04T09:00:30Z"}
QUERIES: list[Query] = [
    ("/v1/custom-metrics/names", {}),
    ("/v1/custom-metrics/aggregate", DAILY),
    ("/v1/custom-metrics/aggregate", {**DAILY, "groupBy": "company_id"}),
    ("/v1/custom-metrics/aggregate", {**DAILY, "groupBy": "company_id,agent_id"}),
    ("/v1/custom-metrics/aggregate", {**DAILY, "groupBy": "session_id,origin"}),
    ("/v1/custom-metrics/daily", {**DAILY, "timezone": "Asia/Kathmandu"}),
    ("/v1/custom-metrics/daily", {**DAILY, "groupBy": "company_id"}),
    ("/v1/custom-metrics/tags", {}),
    ("/v1/custom-metrics/aggregate", ANYWHERE),
    ("/v1/custom-metrics/aggregate", {**ANYWHERE, "groupBy": "company_id"}),
    ("/v1/custom-metrics/aggregate", {**ANYWHERE, "groupBy": "company_id,agent_id"}),
    ("/v1/custom-metrics/daily", ANYWHERE),
    ("/v1/custom-metrics/timeseries", {**ANYWHERE, "metricName": "m_gauge", "step": "1h"}),
    ("/v1/custom-metrics/timeseries", {**ANYWHERE, "metricName": "m_counter", "step": "2d"}),
    ("/v1/custom-metrics/timeseries", {**ANYWHERE, "metricName": "m_histogram", "step": "1d"}),
    ("/v1/custom-metrics/timeseries", {**A_DAY, "metricName": "m_counter", "step": "1m"}),
]


def spread(count: int, seed: int) -> list[Point]:
    """Return points of some labels, over 80 days, in no order of time."""
    points: list[Point] = []
    for number in range(count):
        mixed = (number * 2_654_435_761 + seed * 40_503) % 2**32
        tags = {"company_id": f"c{mixed % 5}"} if mixed % 3 else {}
        if mixed % 2:
            tags["origin"] = ("phone", "web")[mixed % 4 // 2]
        kind = ("counter", "gauge", "histogram")[mixed % 7 % 3]
        day, minute = mixed % 80, mixed // 80 % 1440
        points.append(
            {
                "name": f"m_{kind}",
                "type": kind,
                "value": mixed % 1000 if kind == "counter" else mixed % 10_000 / 8,
                "timestamp": f"2025-{4 + day // 30:02}-{1 + day % 30:02}"
                f"T{minute // 60:02}:{minute % 60:02}:00Z",
                "agentId": f"agent_{mixed % 3}",
                "sessionId": f"session_{mixed % 200}",
                "tags": tags,
            }
        )
    return points


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with InProcess(tmp_path / "vumeter.db") as in_process:
        in_process.new_organization()
        yield in_process


def ask(server: InProcess) -> list[str]:
    return [canonical(server.get(path, query)) for path, query in QUERIES]


@pytest.mark.parametrize("are_many", [False, True], ids=["few points", "many points"])
def test_every_state_of_the_layout_answers_as_the_oracle(
    server: InProcess, are_many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if are_many:
        let_few_be_many(monkeypatch)
    oracle = Oracle()
    for step in range(6):
        # Each lot has points of all days: late ones for days that are flushed already.
        lot = spread(700, step)
        server.record(lot)
        oracle.record(lot, NOW_US)
        expected = [canonical(oracle.ask(path, query)) for path, query in QUERIES]
        # What the first answers have read is cached for the second ones.
        assert ask(server) == expected
        assert ask(server) == expected
        if step % 2:
            server.run(server.store.maintenance.flush(everything=step == 5))
            # One flushing more than what is due by itself, of part of the log.
            server.run(server.store.maintenance._flush_log(server.organization_id))
            assert ask(server) == expected
    levels = server.database.read(
        lambda c: {level for (level,) in c.execute("SELECT level FROM series_blocks")}
    )
    assert levels == {8, 64}


def test_nobody_sees_that_points_are_flushed_while_they_ask(
    server: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "FLUSH_AT_MOST", 60)
    points = spread(tries(1_200, 3_000), 1)
    for start in range(0, len(points), 50):
        server.record(points[start : start + 50])
    expected = ask(server)
    answers, flushed = 0, False

    async def flush_all() -> None:
        nonlocal flushed
        await server.store.maintenance.flush(everything=True)
        flushed = True

    async def ask_on() -> None:
        nonlocal answers
        while not flushed:
            for (path, query), right in zip(QUERIES, expected, strict=True):
                assert canonical(await server.ask(path, query)) == right
                answers += 1

    async def both() -> None:
        await asyncio.gather(flush_all(), ask_on(), ask_on())

    server.run(both())
    assert answers > 2 * len(QUERIES)
    assert ask(server) == expected


@given(recordings_with_queries())
@settings(
    deadline=None,
    max_examples=tries(15, 300),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_log_that_is_flushed_batch_by_batch_answers_as_the_oracle(
    server: InProcess, chosen: tuple[list[list[Point]], list[Query]]
) -> None:
    batches, questions = chosen
    server.new_organization()
    oracle = Oracle()
    for batch in batches:
        server.record(batch)
        oracle.record(batch, NOW_US)
        server.run(server.store.maintenance._flush_log(server.organization_id))
    for path, params in questions:
        expected = canonical(oracle.ask(path, params))
        assert canonical(server.get(quote(path), params)) == expected
