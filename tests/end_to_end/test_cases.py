"""Every case of custom metrics through the real Envoy, an organization each."""

from __future__ import annotations

import pytest
from tests.custom_metrics.cases import Case, canonical, load_cases
from tests.end_to_end.callers import Caller

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_cases_are_answered_word_for_word_through_envoy(owner: Caller, case: Case) -> None:
    owner.record(case.load)
    for ask in case.asks:
        body = None if ask.body is None else ask.body.encode()
        answer = owner.rest(ask.method, ask.path, ask.query, body)
        if ask.refused is None:
            assert canonical(answer.body) == canonical(ask.answer), ask
            continue
        assert answer.status == ask.refused.status, ask
        if ask.refused.message is not None:
            assert answer.message == ask.refused.message, ask
        if ask.refused.fields is not None:
            assert tuple(answer.fields) == ask.refused.fields, ask
