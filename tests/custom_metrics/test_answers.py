"""What the REST service answers over the store: the cases, and whatever the oracle says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custom_metrics.busy_week import record_busy_week
from tests.custom_metrics.cases import Case, canonical, load_cases
from tests.custom_metrics.in_process import NOW_US, InProcess
from tests.custom_metrics.oracle import Oracle
from tests.custom_metrics.strategies import (
    SCENES,
    Point,
    Query,
    queries,
    recordings_with_queries,
)

CASES = load_cases()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    path: Path = tmp_path_factory.mktemp("answers") / "vumeter.db"
    with InProcess(path) as in_process:
        yield in_process


@pytest.mark.parametrize("flushed", [False, True], ids=["open", "flushed"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_cases_are_answered_word_for_word(server: InProcess, case: Case, flushed: bool) -> None:
    server.new_organization()
    server.record(case.load)
    for ask in case.asks:
        if flushed:
            server.flush()
        server.check(ask, f"{case.name}: {ask.title} {ask.path} {ask.query} {ask.body}")


@given(recordings_with_queries())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_are_the_oracles(
    server: InProcess, chosen: tuple[list[list[Point]], list[Query]]
) -> None:
    batches, questions = chosen
    server.new_organization()
    oracle = Oracle()
    for number, batch in enumerate(batches):
        server.record(batch)
        oracle.record(batch, NOW_US)
        if number % 2:
            server.flush()
    for path, params in questions:
        context = f"{path} {params}"
        expected = canonical(oracle.ask(path, params))
        assert canonical(server.get(quote(path), params)) == expected, context


@pytest.fixture(scope="module")
def busy_week(server: InProcess) -> tuple[int, Oracle]:
    """Record 2,000 points of every scene: some flushed, some merged, some in the log."""
    return record_busy_week(server, 400)


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_about_many_points_are_the_oracles(
    server: InProcess, busy_week: tuple[int, Oracle], data: st.DataObject
) -> None:
    organization_id, oracle = busy_week
    path, params = data.draw(queries(data.draw(st.sampled_from(SCENES))))
    expected = canonical(oracle.ask(path, params))
    answer = server.get(quote(path), params, organization_id=organization_id)
    assert canonical(answer) == expected


def test_a_tag_key_shows_its_first_1000_values(server: InProcess) -> None:
    server.new_organization()
    values = [f"caller_{number:04}" for number in range(1_001)]
    server.record([{"name": "faq_query", "tags": {"caller": each}} for each in reversed(values)])
    assert server.get("/v1/custom-metrics/tags", {}) == {"data": {"caller": values[:1_000]}}


def test_a_merged_day_is_read_anew_though_its_sums_are_remembered(server: InProcess) -> None:
    server.new_organization()
    query = {"startDate": "2025-04-01", "endDate": "2025-04-03", "groupBy": "company_id"}
    booked = {"name": "booking_attempt", "tags": {"company_id": "abc"}}
    for number in range(1, 4):
        # Each time one part more, which is merged with what there was.
        server.record([{**booked, "timestamp": f"2025-04-01T0{number}:00:00Z"}])
        for _ in range(2):
            assert server.get("/v1/custom-metrics/aggregate", query) == {
                "data": [{"company_id": "abc", "metrics": {"booking_attempt": number}}]
            }
            server.flush()
