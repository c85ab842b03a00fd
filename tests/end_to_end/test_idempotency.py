"""Repeats and dry runs, on both APIs and across them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.recorders import RECORD, TEN_YEARS

PATH = "/v1/custom-metrics"
POINT = {"name": "booking_attempt", "tags": {"origin": "phone"}}
KEY = "calls-2025-04-01"
Record = Callable[..., Answer]


def over_rest(caller: Caller, points: list[Any], key: str = "", dry_run: bool = False) -> Answer:
    return caller.post(PATH, {"points": points, "idempotencyKey": key, "dryRun": dry_run})


def over_grpc(caller: Caller, points: list[Any], key: str = "", dry_run: bool = False) -> Answer:
    return caller.rpc(RECORD, {"points": points, "idempotency_key": key, "dry_run": dry_run})


APIS = {"rest": over_rest, "grpc": over_grpc}
each_api = pytest.mark.parametrize("record", APIS.values(), ids=APIS)


def recorded(answer: Answer) -> int:
    body = answer.body.get("data", answer.body)
    return int(body["recorded"])


def total(caller: Caller) -> dict[str, Any]:
    answer = caller.get(PATH + "/aggregate", **TEN_YEARS)
    return dict(answer.body["data"])


@each_api
@pytest.mark.parametrize("again", APIS.values(), ids=APIS)
def test_a_repeat_answers_as_the_first_call_and_stores_nothing(
    owner: Caller, record: Record, again: Record
) -> None:
    for repeat in (record, again, again):
        assert recorded(repeat(owner, [POINT, POINT], KEY)) == 2
    assert total(owner) == {"booking_attempt": 2}


@each_api
def test_without_a_key_every_call_counts(owner: Caller, record: Record) -> None:
    for _ in range(2):
        assert recorded(record(owner, [POINT])) == 1
    assert total(owner) == {"booking_attempt": 2}


@each_api
def test_a_dry_run_answers_as_the_real_call_stores_nothing_and_leaves_the_key(
    owner: Caller, record: Record
) -> None:
    for _ in range(2):
        assert recorded(record(owner, [POINT, POINT], KEY, dry_run=True)) == 2
    assert total(owner) == {}
    assert recorded(record(owner, [POINT], KEY)) == 1
    assert record(owner, [POINT, POINT], KEY, dry_run=True).code == 6
    assert recorded(record(owner, [POINT], KEY, dry_run=True)) == 1
    assert total(owner) == {"booking_attempt": 1}


@each_api
def test_a_dry_run_is_refused_as_the_real_call(owner: Caller, record: Record) -> None:
    owner.record([POINT])
    wrong = [{"name": "booking_attempt", "value": -1}]
    told = [record(owner, wrong, dry_run=dry_run) for dry_run in (True, False)]
    assert told[0].body == told[1].body
    assert told[0].fields == ["points[0].value"]


@each_api
def test_a_refused_call_does_not_use_its_key_up(owner: Caller, record: Record) -> None:
    assert record(owner, [{"name": "booking-attempt"}], KEY).code == 3
    assert recorded(record(owner, [POINT], KEY)) == 1
    assert total(owner) == {"booking_attempt": 1}


@each_api
def test_a_key_that_was_used_with_other_content_stores_nothing(
    owner: Caller, record: Record
) -> None:
    assert recorded(record(owner, [POINT], KEY)) == 1
    assert record(owner, [POINT, POINT], KEY).code == 6
    assert total(owner) == {"booking_attempt": 1}
