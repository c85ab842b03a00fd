"""Whatever is asked of metrics, the answer over the store is the brute-force one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics import query_oracle
from tests.custom_metrics.cases import canonical
from tests.custom_metrics.in_process import NOW_US, InProcess
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.query_strategies import metric_queries
from tests.custom_metrics.strategies import SCENES, Point, many_points, points


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    path: Path = tmp_path_factory.mktemp("queries") / "vumeter.db"
    with InProcess(path) as in_process:
        yield in_process


@st.composite
def recordings_with_queries(draw: st.DrawFn) -> tuple[list[list[Point]], list[dict[str, Any]]]:
    """Choose batches of points to record in turn, and queries to ask about them."""
    scene = draw(st.sampled_from(SCENES))
    batches = draw(st.lists(st.lists(points(scene), max_size=12), max_size=4))
    return batches, draw(st.lists(metric_queries(scene), min_size=1, max_size=5))


@given(recordings_with_queries())
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_answers_are_the_oracles(
    server: InProcess, chosen: tuple[list[list[Point]], list[dict[str, Any]]]
) -> None:
    batches, bodies = chosen
    server.new_organization()
    oracle = Oracle()
    for number, batch in enumerate(batches):
        server.record(batch)
        oracle.record(batch, NOW_US)
        if number % 2:
            server.seal()
    for state in ("as recorded", "sealed"):
        for body in bodies:
            expected = canonical(query_oracle.answer(oracle.points, body))
            assert canonical(server.query(json.dumps(body))) == expected, f"{state}: {body}"
        server.seal()


@pytest.fixture(scope="module")
def busy_week(server: InProcess) -> tuple[int, Oracle]:
    """Record 60 points of every scene: some sealed, some merged, some in the log."""
    server.new_organization()
    oracle = Oracle()
    for seed in range(5):
        for scene in SCENES:
            recorded = many_points(scene, 12, seed)
            server.record(recorded)
            oracle.record(recorded, NOW_US)
        if seed in (1, 3):
            server.seal()
    return server.organization_id, oracle


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_about_more_points_are_the_oracles(
    server: InProcess, busy_week: tuple[int, Oracle], data: st.DataObject
) -> None:
    organization_id, oracle = busy_week
    body = data.draw(metric_queries(data.draw(st.sampled_from(SCENES))))
    expected = canonical(query_oracle.answer(oracle.points, body))
    assert canonical(server.query(json.dumps(body), organization_id)) == expected
