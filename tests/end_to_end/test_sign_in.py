"""Signing in by the code of a link, on both APIs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.end_to_end.callers import Answer, Caller

SIGN_IN = "vumeter.access.v1.AccessService/SignIn"
PROBLEM = "The sign-in code was used before, has expired or is not known"


def sign_in(caller: Caller, code: str, *, typed: bool) -> tuple[Answer, list[dict[str, Any]]]:
    """Exchange a code; return the answer and its keys, spelled as over gRPC."""
    if typed:
        answer = caller.rpc(SIGN_IN, {"code": code})
        return answer, answer.body.get("keys", [])
    answer = caller.post("/v1/sign-in", {"code": code})
    keys = answer.body.get("data", {}).get("keys", [])
    return answer, [
        {"key": each["key"], "role": each["role"], "expire_time": each["expiresAt"]}
        for each in keys
    ]


@pytest.mark.parametrize("typed", [False, True], ids=["REST", "gRPC"])
def test_a_code_is_good_once_for_keys_of_its_organization_and_of_live_metrics(
    anybody: Caller, typed: bool
) -> None:
    stack = anybody.stack
    stack.make_key("By a link")
    code = stack.make_code("By a link", for_live=True)
    before = datetime.now(UTC)
    answer, (admin, operator) = sign_in(anybody, code, typed=typed)
    assert answer.code == 0
    if not typed:
        assert answer.headers["cache-control"] == "no-store"
    for each in (admin, operator):
        lasts = datetime.fromisoformat(each["expire_time"]) - before
        assert timedelta(hours=11, minutes=59) < lasts < timedelta(hours=12, minutes=1)
    caller = anybody.showing({"authorization": f"Bearer {admin['key']}"}).get("/v1/caller")
    told = caller.body["data"]
    assert (told["role"], told["organization"]) == ("admin", "By a link")
    assert datetime.fromisoformat(told["expiresAt"]) == datetime.fromisoformat(admin["expire_time"])
    live = anybody.showing({"authorization": f"Bearer {operator['key']}"})
    assert live.get("/api/v1/metrics/live").status == 200
    for again in (typed, not typed):
        answer, keys = sign_in(anybody, code, typed=again)
        assert (answer.code, answer.body["message"], keys) == (16, PROBLEM, [])


def test_without_live_metrics_there_is_one_key(anybody: Caller) -> None:
    anybody.stack.make_key("By a link")
    _, keys = sign_in(anybody, anybody.stack.make_code("By a link"), typed=False)
    assert [each["role"] for each in keys] == ["admin"]


@pytest.mark.parametrize("code", ["x", "a" * 5000, "\u0000", "' OR 1=1 --"])
def test_a_made_up_code_is_401(anybody: Caller, code: str) -> None:
    for typed in (False, True):
        answer, _ = sign_in(anybody, code, typed=typed)
        assert (answer.code, answer.body["message"]) == (16, PROBLEM)
    assert anybody.post("/v1/sign-in", {"code": code}).status == 401


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "code must be given"),
        ({"code": ""}, "code must be given"),
        ({"code": None}, "code must not be null"),
        ({"code": 7}, "code must be a string"),
        ({"code": "x", "key": "y"}, "key is not a known field"),
    ],
)
def test_what_is_no_code_is_400_and_named(anybody: Caller, body: Any, message: str) -> None:
    answer = anybody.post("/v1/sign-in", body)
    assert (answer.status, answer.body["message"]) == (400, message)


def test_the_code_is_in_no_log(anybody: Caller) -> None:
    anybody.stack.make_key("By a link")
    code = anybody.stack.make_code("By a link")
    for _ in range(2):
        sign_in(anybody, code, typed=False)
    for log in anybody.stack.log.parent.glob("*.log"):
        assert code not in log.read_text()
