from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.simulation.test_store import ACME, new_database, opened

from vumeter_server.demo import simulation as demo
from vumeter_server.simulation.compare import Verdict, compare
from vumeter_server.simulation.percentiles import DOCUMENTED
from vumeter_server.simulation.store import SimulationStore

NOW_US = 1_764_490_000_000_000  # 2025-11-30T08:06:40Z


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SimulationStore]:
    async with opened(new_database(tmp_path)) as opened_store:
        yield opened_store


async def test_twelve_executions_of_thirty_calls_end_last_night(store: SimulationStore) -> None:
    advanced: list[int] = []
    await demo.load(store, ACME, NOW_US, advanced.append)
    await demo.load(store, ACME, NOW_US)
    page = await store.executions(ACME, demo.RUN_TEST, percentiles=DOCUMENTED, limit=100)
    assert page is not None
    assert page.count == 12
    assert [execution.total_calls for execution in page.executions] == [30] * 12
    assert page.executions[0].report.started_at == 1_764_468_000_000_000  # 02:00 of the same day
    assert sum(advanced) == 360


async def test_the_tenth_execution_is_a_visible_regression(store: SimulationStore) -> None:
    await demo.load(store, ACME, NOW_US)
    nights = [
        await store.execution(ACME, demo.execution_id(number), DOCUMENTED)
        for number in (demo.REGRESSION - 1, demo.REGRESSION)
    ]
    before, regression = nights
    assert before is not None
    assert regression is not None
    rows = compare(before, regression).metrics
    assert {row.verdict for row in rows} == {Verdict.WORSE}
    p95 = next(row for row in rows if row.metric == "latency.percentiles.p95")
    assert p95.difference_percent is not None
    assert p95.difference_percent > 50


def test_the_demo_is_the_same_every_time_but_for_the_day() -> None:
    today = [calls for _, calls in demo.demo_executions(NOW_US)]
    later = [calls for _, calls in demo.demo_executions(NOW_US + 40 * 86_400_000_000)]
    assert today == later
    last_night = [
        report.started_at for report, _ in demo.demo_executions(NOW_US - 8 * 3_600_000_000)
    ]
    assert last_night[-1] == 1_764_468_000_000_000 - 86_400_000_000
