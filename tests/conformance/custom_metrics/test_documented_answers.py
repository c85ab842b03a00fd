"""The case files, answered by the REST API over each store."""

from __future__ import annotations

import pytest
from tests.conformance.custom_metrics.factories import SteppedClock, Subject
from tests.custom_metrics.cases import Case, load_cases
from tests.custom_metrics.in_process import NOW_US, RestCalls

CASES = load_cases()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW_US)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_cases_are_answered_word_for_word(subject: Subject, case: Case) -> None:
    calls = RestCalls(subject.store, subject.usage, subject.runner)
    calls.organization_id = subject.add_organization("Dr. Weber")
    calls.record(case.load)
    for ask in case.asks:
        calls.check(ask, f"{case.name}: {ask.title} {ask.path} {ask.query} {ask.body}")
