"""What is refused, on each API on which it can be said: the field is named, nothing is stored.

A row of `bad_input.json`, and of the other files `bad_*.json` for metrics:

    what        what is wrong
    rest        the request: "verb", "path", and "query", "body", or "body_text" and "headers". A
                point with "times" stands for that many, a text with "times" likewise
    rest_says   "status", and the "field" and "message" of the answer
    rpc         "rpc" and "request" in proto JSON, or "request_hex" for what JSON cannot say
    rpc_says    "code", "field" and "message"
    rpc_cannot  why there is no `rpc`
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.conftest import new_name, with_key

ROWS = [
    row
    for name in ("input", "queries", "deletions", "distributions")
    for row in json.loads(Path(__file__).with_name(f"bad_{name}.json").read_text())
]
REST = [row for row in ROWS if "rest" in row]
RPC = [row for row in ROWS if "rpc" in row]
TEN_YEARS = {"startDate": "2020-01-01", "endDate": "2029-12-31"}
STORED = [
    {
        "name": "booking_attempt",
        "timestamp": "2025-04-01T10:00:00Z",
        "sessionId": "s1",
        "tags": {"origin": "phone"},
    },
    {"name": "volume_db", "type": "gauge", "value": -20, "timestamp": "2025-04-01T10:00:00Z"},
]


@pytest.fixture(scope="module")
def clinic(anybody: Caller) -> Caller:
    """An owner whose organization holds two points, and holds no more after any of these calls."""
    caller = with_key(anybody, new_name())
    caller.record(STORED)
    return caller


@pytest.mark.parametrize("row", REST, ids=[row["what"] for row in REST])
def test_rest_names_what_is_wrong_and_stores_nothing(clinic: Caller, row: dict[str, Any]) -> None:
    before = everything(clinic)
    asked = row["rest"]
    answer = clinic.rest(
        asked["verb"], asked["path"], asked.get("query"), body_of(asked), asked.get("headers")
    )
    assert answer.status == row["rest_says"]["status"], answer.body
    says(answer, row["rest_says"])
    assert everything(clinic) == before


@pytest.mark.parametrize("row", RPC, ids=[row["what"] for row in RPC])
def test_grpc_names_what_is_wrong_and_stores_nothing(clinic: Caller, row: dict[str, Any]) -> None:
    before = everything(clinic)
    asked = row["rpc"]
    if "request_hex" in asked:
        answer = clinic.rpc(asked["rpc"], bytes.fromhex(asked["request_hex"]))
    else:
        answer = clinic.rpc(asked["rpc"], repeated(asked["request"]))
    assert answer.code == row["rpc_says"]["code"], answer.body
    says(answer, row["rpc_says"])
    assert everything(clinic) == before


@pytest.mark.parametrize("row", ROWS, ids=[row["what"] for row in ROWS])
def test_what_an_api_cannot_say_has_a_reason(row: dict[str, Any]) -> None:
    assert ("rpc" in row) != ("rpc_cannot" in row)
    assert "rest" in row


def says(answer: Answer, expected: dict[str, Any]) -> None:
    if "message" in expected:
        assert answer.message == expected["message"]
    if "field" in expected:
        assert answer.fields[0] == expected["field"]
        assert answer.message.startswith(expected["field"])


def everything(caller: Caller) -> list[Any]:
    """Whatever the organization can see of what it recorded."""
    return [
        caller.get("/v1/custom-metrics/names").body,
        caller.get("/v1/custom-metrics/aggregate", **TEN_YEARS).body,
        caller.get("/v1/custom-metrics/tags").body,
        caller.get("/v1/custom-metrics/sessions/s1").body,
    ]


def body_of(asked: dict[str, Any]) -> Any:
    if "body_text" in asked:
        return asked["body_text"].encode() * asked.get("times", 1)
    return repeated(asked["body"]) if "body" in asked else None


def repeated(body: dict[str, Any]) -> dict[str, Any]:
    if not any("times" in point for point in body.get("points", [])):
        return body
    points = [
        {key: value for key, value in point.items() if key != "times"}
        for point in body["points"]
        for _ in range(point.get("times", 1))
    ]
    return {**body, "points": points}
