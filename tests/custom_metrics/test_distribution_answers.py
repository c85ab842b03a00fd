"""Distributions among values: what is exact is exact, and percentiles keep to their errors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics.in_process import InProcess
from tests.effort import tries

from vumeter_server.custom_metrics.sqlite.maintenance.verification import find_problems

PERCENTILES = (0.1, 50, 95, 99.9, 100)
EXACT = ("sum", "count", "mean", "min", "max")
BOUNDS = (-100.0, 0.0, 250.0, 500.0, 1_000.0, 2_500.0)

latencies = st.integers(-999, 40_000).map(lambda tenths: tenths / 10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    path: Path = tmp_path_factory.mktemp("distributions") / "vumeter.db"
    with InProcess(path) as in_process:
        yield in_process


def explicit(values: list[float], *, with_extremes: bool) -> dict[str, Any]:
    """Return values as the explicit buckets of a distribution."""
    counts = [0] * (len(BOUNDS) + 1)
    for value in values:
        counts[sum(bound < value for bound in BOUNDS)] += 1
    return with_numbers(values, {"bounds": BOUNDS, "bucketCounts": counts}, with_extremes)


def exponential(values: list[float], scale: int, *, with_extremes: bool) -> dict[str, Any]:
    """Return values as the exponential buckets of a distribution."""
    found: dict[str, Any] = {"scale": scale, "zeroCount": values.count(0)}
    for side, sign in (("positive", 1), ("negative", -1)):
        indexes = [
            math.ceil(math.log2(value * sign) * 2.0**scale) - 1
            for value in values
            if value * sign > 0
        ]
        if indexes:
            offset = min(indexes)
            counts = [indexes.count(index) for index in range(offset, max(indexes) + 1)]
            found[side] = {"offset": offset, "bucketCounts": counts}
    return with_numbers(values, found, with_extremes)


def with_numbers(
    values: list[float], buckets: dict[str, Any], with_extremes: bool
) -> dict[str, Any]:
    numbers: dict[str, Any] = {"count": len(values), "sum": math.fsum(values)}
    if with_extremes:
        numbers |= {"min": min(values), "max": max(values)}
    return numbers | buckets


@st.composite
def points(draw: st.DrawFn) -> tuple[list[float], dict[str, Any]]:
    """Choose values, and the point that holds them."""
    minute, session = draw(st.integers(0, 59)), draw(st.sampled_from(("", "session_a")))
    values = draw(st.lists(latencies, min_size=1, max_size=30))
    point: dict[str, Any] = {
        "name": "ttft_ms",
        "type": "histogram",
        "timestamp": f"2025-04-0{draw(st.integers(1, 3))}T10:{minute:02}:00Z",
        "sessionId": session,
    }
    match draw(st.sampled_from(("value", "explicit", "fine", "coarse"))):
        case "value":
            point["value"] = values[0]
            return values[:1], point
        case "explicit":
            point["distribution"] = explicit(values, with_extremes=draw(st.booleans()))
        case "fine":
            point["distribution"] = exponential(values, 4, with_extremes=True)
        case _:
            point["distribution"] = exponential(values, 0, with_extremes=True)
    return values, point


def query(**more: Any) -> str:
    columns: list[dict[str, Any]] = [
        {"as": each, "metric": "ttft_ms", "function": each} for each in EXACT
    ]
    columns += [
        {"as": f"p{n}", "metric": "ttft_ms", "function": "percentile", "percentile": percent}
        for n, percent in enumerate(PERCENTILES)
    ]
    columns.append({"as": "last", "metric": "ttft_ms", "function": "last"})
    body = {"startDate": "2025-04-01", "endDate": "2025-04-04", "metrics": columns}
    return json.dumps(body | more)


def delete(
    server: InProcess, everything: list[tuple[list[float], dict[str, Any]]], which: str
) -> list[tuple[list[float], dict[str, Any]]]:
    """Delete the points of a session or of a day; return those that are left."""
    if which == "session":
        body: dict[str, Any] = {
            "filters": [{"label": "session_id", "op": "=", "value": "session_a"}]
        }
        left = [each for each in everything if each[1]["sessionId"] != "session_a"]
    else:
        body = {"startDate": "2025-04-02", "endDate": "2025-04-03", "metricNames": ["ttft_ms"]}
        left = [each for each in everything if not each[1]["timestamp"].startswith("2025-04-02")]
    # A distribution is one point.
    answer = server.delete(json.dumps(body))
    assert answer == {"data": {"deleted": len(everything) - len(left)}}
    return left


def nearest_rank(values: list[float], percent: float) -> float:
    return sorted(values)[math.ceil(round(percent * len(values) / 100, 9)) - 1]


def check_row(row: dict[str, Any], values: list[float], *, extremes_are_exact: bool) -> None:
    found, errors = row["values"], row.get("errors", {})
    assert found["count"] == len(values)
    assert found["sum"] == pytest.approx(math.fsum(values), rel=1e-9, abs=1e-6)
    assert found["mean"] == pytest.approx(math.fsum(values) / len(values), rel=1e-9, abs=1e-6)
    if extremes_are_exact:
        assert (found["min"], found["max"]) == (min(values), max(values))
    for number, percent in enumerate(PERCENTILES):
        exact, answered = nearest_rank(values, percent), found[f"p{number}"]
        error = errors.get(f"p{number}", 0)
        # Answers have 12 digits.
        assert abs(answered - exact) <= error + 1e-8 * max(1.0, abs(exact))
        assert row["counts"][f"p{number}"] == len(values)
    assert all(error > 0 for error in errors.values())


@given(
    st.lists(st.lists(points(), min_size=1, max_size=5), min_size=1, max_size=4),
    st.none() | st.tuples(st.integers(0, 3), st.sampled_from(("session", "day"))),
)
@settings(
    deadline=None,
    max_examples=tries(10, 300),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_answers_keep_to_the_values_in_every_state(
    server: InProcess,
    batches: list[list[tuple[list[float], dict[str, Any]]]],
    deletion: tuple[int, str] | None,
) -> None:
    server.new_organization()
    everything: list[tuple[list[float], dict[str, Any]]] = []
    for number, batch in enumerate(batches):
        server.record([point for _, point in batch])
        everything += batch
        if number % 2:
            server.flush()
        if deletion is not None and number == deletion[0]:
            everything = delete(server, everything, deletion[1])
    if not everything:
        assert server.query(query())["data"]["rows"] == []
        return
    values = [value for own, _ in everything for value in own]
    plain = [point for _, point in everything if "value" in point]
    exact = all("min" in p["distribution"] for _, p in everything if "distribution" in p)
    answers = []
    for state in ("as recorded", "flushed and compacted"):
        (row,) = server.query(query())["data"]["rows"]
        check_row(row, values, extremes_are_exact=exact)
        assert (row["values"]["last"] is None) == (not plain), state
        if plain:
            latest = max(point["timestamp"] for point in plain)
            last = [point["value"] for point in plain if point["timestamp"] == latest][-1]
            assert row["values"]["last"] == last
        daily = server.query(query(step="day", fill="null"))["data"]["rows"]
        for day, of_day in enumerate(daily, start=1):
            own = [v for o, p in everything if p["timestamp"][9] == str(day) for v in o]
            if own:
                check_row(of_day, own, extremes_are_exact=exact)
        session = server.get("/v1/custom-metrics/sessions/session_a", {})
        aggregate = server.get(
            "/v1/custom-metrics/aggregate", {"startDate": "2025-04-01", "endDate": "2025-04-04"}
        )
        assert aggregate["data"]["ttft_ms"] == pytest.approx(math.fsum(values), abs=1e-6)
        steps = server.get(
            "/v1/custom-metrics/timeseries",
            {
                "metricName": "ttft_ms",
                "startDate": "2025-04-01",
                "endDate": "2025-04-04",
                "step": "3d",
            },
        )
        ((_, p95),) = steps["data"]["result"][0]["values"]
        assert float(p95) == pytest.approx(row["values"]["p2"], rel=1e-9, abs=1e-9)
        answers.append((row, daily, session, aggregate, steps))
        server.flush()
    assert answers[0] == answers[1]
    assert server.database.read(lambda connection: list(find_problems(connection))) == []


def test_the_error_of_an_open_bucket_is_what_the_sum_allows(server: InProcess) -> None:
    server.new_organization()
    distribution = {"count": 4, "sum": 6_100, "bounds": [0, 1_000], "bucketCounts": [0, 2, 2]}
    server.record(
        [
            {
                "name": "ttft_ms",
                "type": "histogram",
                "distribution": distribution,
                "timestamp": "2025-04-01T00:00:00Z",
            }
        ]
    )
    (row,) = server.query(query())["data"]["rows"]
    # The others may be 0, 0 and 1,000.
    assert (row["values"]["max"], row["values"]["p4"], row["errors"]["p4"]) == (1_000, 1_000, 4_100)


@pytest.mark.parametrize("values", [[640.3], [580.0, 815.5], [580.0, 640.25, 815.5], [7.0] * 3])
def test_up_to_three_values_come_back_as_they_were(server: InProcess, values: list[float]) -> None:
    server.new_organization()
    distribution = with_numbers(
        values, {"bounds": [5_000], "bucketCounts": [len(values), 0]}, with_extremes=True
    )
    server.record(
        [
            {
                "name": "ttft_ms",
                "type": "histogram",
                "distribution": distribution,
                "timestamp": "2025-04-01T00:00:00Z",
            }
        ]
    )
    (row,) = server.query(query())["data"]["rows"]
    assert "errors" not in row
    assert [row["values"][f"p{n}"] for n in range(5)] == [
        nearest_rank(values, percent) for percent in PERCENTILES
    ]


def test_percentiles_of_fine_exponential_buckets_are_within_half_a_percent(
    server: InProcess,
) -> None:
    server.new_organization()
    values = [300 * 1.013**n for n in range(250)]
    for scale in (7, 8):
        server.record(
            [
                {
                    "name": "ttft_ms",
                    "type": "histogram",
                    "distribution": exponential(values, scale, with_extremes=True),
                    "timestamp": "2025-04-01T00:00:00Z",
                }
            ]
        )
    (row,) = server.query(query())["data"]["rows"]
    for number, percent in enumerate(PERCENTILES):
        exact = nearest_rank(values * 2, percent)
        assert abs(row["values"][f"p{number}"] - exact) <= 0.005 * exact
        assert row.get("errors", {}).get(f"p{number}", 0) <= 0.0055 * exact


def test_the_example_of_the_docs_is_recorded(server: InProcess) -> None:
    server.new_organization()
    page = (Path(__file__).parents[2] / "docs" / "custom-metrics.md").read_text()
    section = page.partition("### Distributions\n")[2].partition("\n## ")[0]
    body = "\n".join(line for line in section.splitlines() if line.startswith("    "))
    assert server.post(body) == {"data": {"recorded": 2}}
    (row,) = server.query(query())["data"]["rows"]
    assert {name: row["values"][name] for name in EXACT} == {
        "sum": 6_875,
        "count": 10,
        "mean": 687.5,
        "min": 580,
        "max": 815,
    }
    # All values are from 580 to 815, and the median is estimated somewhere between.
    assert 0 < row["errors"]["p1"] <= 815 - 580
