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
from tests.custom_metrics.busy_week import record_busy_week
from tests.custom_metrics.cases import canonical
from tests.custom_metrics.in_process import NOW_US, InProcess
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.query_strategies import metric_queries
from tests.custom_metrics.strategies import SCENES, Point, points
from tests.effort import tries

from vumeter_server.errors import InvalidArgument


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
    max_examples=tries(40, 1_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
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
            server.flush()
    for state in ("as recorded", "flushed"):
        for body in bodies:
            expected = canonical(query_oracle.answer(oracle.points, body))
            assert canonical(server.query(json.dumps(body))) == expected, f"{state}: {body}"
        server.flush()


@pytest.fixture(scope="module")
def busy_week(server: InProcess) -> tuple[int, Oracle]:
    """Record 60 points of every scene: some flushed, some merged, some in the log."""
    return record_busy_week(server, 12)


@given(st.data())
@settings(
    max_examples=tries(40, 1_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_answers_about_more_points_are_the_oracles(
    server: InProcess, busy_week: tuple[int, Oracle], data: st.DataObject
) -> None:
    organization_id, oracle = busy_week
    body = data.draw(metric_queries(data.draw(st.sampled_from(SCENES))))
    expected = canonical(query_oracle.answer(oracle.points, body))
    assert canonical(server.query(json.dumps(body), organization_id)) == expected


def cells_query(minutes: int, **more: Any) -> str:
    """Ask 3 metrics and 2 formulas by minute."""
    hours, rest = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    metrics = [{"as": f"m{n}", "metric": "booking_attempt", "function": "sum"} for n in range(3)]
    formulas = [{"as": f"f{n}", "expression": "m0 + m1"} for n in range(2)]
    return json.dumps(
        {
            "startDate": "2025-04-01",
            "endDate": f"2025-04-{1 + days:02}T{hours:02}:{rest:02}:00Z",
            "step": "1m",
            "metrics": metrics,
            "formulas": formulas,
            **more,
        }
    )


def test_an_answer_has_at_most_100000_cells_formulas_and_filled_rows_among_them(
    server: InProcess,
) -> None:
    server.new_organization()
    at = "2025-04-01T00:00:00Z"
    server.record(
        [
            {"name": "booking_attempt", "timestamp": at, "tags": {"company_id": each}}
            for each in ("abc", "def", "ghi")
        ]
    )
    two = {"groupBy": ["company_id"], "limit": 2, "fill": "null"}
    assert len(server.query(cells_query(10_000, **two))["data"]["rows"]) == 20_000
    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        server.query(cells_query(10_001, **two))
    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        server.query(cells_query(10_000, **two, other=True))
    assert len(server.query(cells_query(10_001, groupBy=["company_id"]))["data"]["rows"]) == 3


def test_rows_after_limit_count_as_cells(server: InProcess) -> None:
    server.new_organization()
    points = [
        {"name": "booking_attempt", "timestamp": "2025-04-01T00:00:00Z", "tags": {"caller": f"{n}"}}
        for n in range(20_001)
    ]
    server.record(points)
    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        server.query(cells_query(1, groupBy=["caller"]))
    found = server.query(cells_query(1, groupBy=["caller"], limit=1_000, other=True))["data"]
    assert (len(found["rows"]), found["groups"]) == (1_001, 20_001)
    assert found["rows"][-1]["values"]["m0"] == 19_001
    server.record(points[:1])
    one_less = [{"label": "caller", "op": "!=", "value": "7"}]
    kept = server.query(cells_query(1, groupBy=["caller"], filters=one_less))["data"]
    assert len(kept["rows"]) == 20_000
    assert kept["rows"][0]["labels"] == {"caller": "0"}


@pytest.mark.parametrize(
    ("written", "value"),
    [("50", 1), ("50.00000000000000000001", 2), ("49.99999999999999999999", 1), ("5e1", 1)],
)
def test_a_percentile_is_the_decimal_as_written(
    server: InProcess, written: str, value: float
) -> None:
    server.new_organization()
    server.record(
        [
            {
                "name": "ttft_ms",
                "type": "histogram",
                "value": each,
                "timestamp": "2025-04-01T00:00:00Z",
            }
            for each in (1, 2)
        ]
    )
    column = (
        f'{{"as": "p", "metric": "ttft_ms", "function": "percentile", "percentile": {written}}}'
    )
    body = f'{{"startDate": "2025-04-01", "endDate": "2025-04-02", "metrics": [{column}]}}'
    (row,) = server.query(body)["data"]["rows"]
    assert row["values"] == {"p": value}
