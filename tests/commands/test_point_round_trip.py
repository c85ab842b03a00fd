"""Points exported and imported again answer every query the same, however they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.commands.transferring import Clinic
from tests.custom_metrics import distribution_strategies, strategies
from tests.custom_metrics.query_strategies import metric_queries
from tests.effort import tries
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.sqlite.library import sqlite3

FORMATS = ("csv", "ndjson", "parquet")


@pytest.fixture(scope="module", params=[1, 20, 65_536], ids=["flushed", "partly", "in-the-log"])
def layout(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A product that flushes every point, some, or none."""
    started = start_stack(
        tmp_path_factory.mktemp("layout"),
        VUMETER_FLUSH_AT_POINTS=str(request.param),
        VUMETER_ACCESS_LOG="false",
    )
    yield started
    started.stop()


def points_in(stack: Stack, table: str) -> int:
    with sqlite3.connect(f"file:{stack.db_path}?mode=ro", uri=True) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return found


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Choose batches of points, distributions among them, and queries about them."""
    scene = draw(st.sampled_from(strategies.SCENES))
    plain = strategies.points(scene)
    distributed = distribution_strategies.recorded().map(lambda each: each.point)
    batches = draw(
        st.lists(st.lists(plain | distributed, min_size=1, max_size=15), min_size=1, max_size=4)
    )
    return batches, draw(st.lists(metric_queries(scene), min_size=1, max_size=4))


def answers(clinic: Clinic, bodies: list[dict[str, Any]]) -> list[Any]:
    latencies = {
        **{"startDate": "2025-03-01", "endDate": "2025-05-01", "step": "day"},
        "groupBy": ["agent_id", "session_id"],
        "metrics": [
            {"as": function, "metric": "latency_ms", "function": function}
            for function in ("sum", "count", "mean", "min", "max", "last", "sessions")
        ]
        + [
            {"as": f"p{p}", "metric": "latency_ms", "function": "percentile", "percentile": p}
            for p in (1, 50, 99)
        ],
    }
    asked = [clinic.request("/query", body) for body in (latencies, *bodies)]
    year = "startDate=2025-01-01&endDate=2025-12-31"
    paths = [
        *("/names", "/tags", f"/aggregate?{year}", f"/daily?{year}&groupBy=company_id"),
        *(f"/sessions/{each}" for each in ("s-1", "s-2")),
        f"/timeseries?{year}&metricName=latency_ms&step=7d",
    ]
    return [*asked, *(clinic.request(path) for path in paths)]


@given(recordings(), st.sampled_from(FORMATS))
@settings(
    deadline=None,
    max_examples=tries(6, 200),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_was_exported_and_imported_again_answers_the_same(
    layout: Stack,
    tmp_path: Path,
    chosen: tuple[list[list[dict[str, Any]]], list[dict[str, Any]]],
    file_format: str,
) -> None:
    batches, bodies = chosen
    clinic, copy = Clinic.of(layout), Clinic.of(layout)
    for batch in batches:
        clinic.record(*batch)
    count = sum(map(len, batches))
    file = tmp_path / f"points.{file_format}"
    assert clinic.export(file).out == f"exported {count} points\n"
    ended = copy.load(file)
    assert (ended.status, ended.out) == (0, f"recorded {count} points, refused 0\n"), ended.err
    assert answers(copy, bodies) == answers(clinic, bodies)
    assert copy.lines() == clinic.lines()
    # A repeat, of the same points in whichever format, records nothing.
    again = tmp_path / "again.ndjson"
    clinic.export(again)
    assert copy.load(file).status == copy.load(again).status == 0
    assert copy.lines() == clinic.lines()


def test_the_layouts_are_what_they_are_called(layout: Stack, request: Any) -> None:
    clinic = Clinic.of(layout)
    clinic.record({"name": "calls", "timestamp": "2025-04-01T10:00:00Z"})
    named = request.node.callspec.id
    if named == "flushed":
        until(lambda: points_in(layout, "metric_columns") > 0)
    elif named == "in-the-log":
        assert points_in(layout, "metric_columns") == 0
