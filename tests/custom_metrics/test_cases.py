"""The cases agree with the oracle, and their refusals with the rules of parameters and points."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from tests.custom_metrics import query_oracle
from tests.custom_metrics.cases import Ask, Case, canonical, load_cases
from tests.custom_metrics.oracle import Oracle, Refused
from tests.custom_metrics.points import Point, columns_of

from vumeter_server.custom_metrics import labels, validation
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.ranges import count_buckets, parse_range
from vumeter_server.times.steps import parse_step

CASES = load_cases()
QUERY = "/v1/custom-metrics/query"
NOW_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
SPELLINGS = {
    "start_date": "startDate",
    "end_date": "endDate",
    "metric_names": "metricNames",
    "group_by": "groupBy",
    "agent_id": "agentId",
    "environment_id": "environmentId",
    "session_id": "sessionId",
    "idempotency_key": "idempotencyKey",
}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_agrees_with_the_oracle(case: Case) -> None:
    oracle = Oracle()
    oracle.record(case.load, NOW_US)
    keys: set[str] = set()
    for ask in case.asks:
        context = f"{case.name}: {ask.title} {ask.path} {ask.query} {ask.body}"
        if ask.path == QUERY:
            if ask.refused is None:
                assert ask.body is not None
                expected = query_oracle.answer(oracle.points, json.loads(ask.body))
                assert canonical(expected) == canonical(ask.answer), context
        elif ask.method == "POST":
            if ask.answer:
                assert ask.body is not None
                body = json.loads(ask.body)
                assert ask.answer == {"data": {"recorded": len(body["points"])}}, context
                key = body.get("idempotencyKey")
                if not body.get("dryRun") and key not in keys:
                    oracle.record(body["points"], NOW_US)
                    keys |= {key} if key else set()
        elif ask.refused is None:
            answer = oracle.ask(unquote(ask.path), ask.query)
            # As text, since == takes 1 and 1.0 for equal, and rows in any order of keys.
            assert canonical(answer) == canonical(ask.answer), context
        elif not ask.refused.fields:
            with pytest.raises(Refused):
                oracle.ask(ask.path, ask.query)


def _checkable() -> list[tuple[str, Ask]]:
    """Return the refusals that say in which words, and that are settled by a request alone."""
    return [
        (case.name, ask)
        for case in CASES
        for ask in case.asks
        if ask.refused is not None
        and ask.refused.message is not None
        and ask.refused.fields
        and ask.refused.fields != ("metricName",)
        and ask.path != QUERY
        and case.name != "recording"
    ]


@pytest.mark.parametrize(
    ("name", "ask"),
    _checkable(),
    ids=[f"{name}-{ask.query or (ask.body or '')[:60]}" for name, ask in _checkable()],
)
def test_a_refusal_has_the_words_of_the_case(name: str, ask: Ask) -> None:
    with pytest.raises(InvalidArgument) as caught:
        _read_get(ask) if ask.method == "GET" else _read_post(ask)
    error = caught.value.respelled(SPELLINGS)
    assert ask.refused is not None
    assert error.message == ask.refused.message, name
    assert tuple(violation.field for violation in error.violations) == ask.refused.fields


def _read_get(ask: Ask) -> None:
    query = ask.query
    time_range = parse_range(query.get("startDate"), query.get("endDate"), query.get("timezone"))
    labels.parse_metric_names(query.get("metricNames"))
    labels.parse_group_by(query.get("groupBy"))
    labels.parse_tags(query.get("tags"))
    count_buckets(time_range, parse_step(query.get("step"), default="1h"))


def _read_post(ask: Ask) -> None:
    assert ask.body is not None
    body = json.loads(ask.body)
    validation.check_idempotency_key(body.get("idempotencyKey"))
    validation.validate(columns_of([_point(p) for p in body["points"]]), NOW_US)


def _point(body: dict[str, Any]) -> Point:
    return Point(
        name=body.get("name", ""),
        type=body.get("type"),
        value=body.get("value"),
        timestamp=body.get("timestamp"),
        agent_id=body.get("agentId"),
        environment_id=body.get("environmentId"),
        session_id=body.get("sessionId"),
        tags=body.get("tags"),
    )
