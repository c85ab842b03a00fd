"""Compressed bodies, through Envoy, at every path that takes a body."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
import requests
from tests.end_to_end.api import CLOSED_REST, Method
from tests.end_to_end.callers import Answer, Caller
from tests.end_to_end.examples import load_examples

MIB = 1024 * 1024
# Bodies that are thrown away unread are not inflated either. Signing in takes each code once.
POSTS = [m for m in CLOSED_REST if m.verb == "POST" and "/Discard" not in m.name]
each_post = pytest.mark.parametrize("method", POSTS, ids=[method.name for method in POSTS])

NOT_GZIP = {"code": 3, "message": "body must be gzip"}
TOO_LARGE = {"code": 8, "message": "The request body is larger than 4 MiB", "details": []}
UNSUPPORTED = {"code": 3, "message": "Content-Encoding must be gzip or absent", "details": []}


def example(method: Method) -> dict[str, Any]:
    """Return the first documented request of a path that is answered 200."""
    return next(
        dict(each.content)
        for each in load_examples()
        if each.is_success and not each.is_typed and each.method.name == method.name
    )


def post(caller: Caller, method: Method, data: bytes, coding: str) -> Answer:
    return caller.rest("POST", method.path, body=data, headers={"content-encoding": coding})


def body_of(caller: Caller, method: Method) -> tuple[bytes, Any]:
    """Return a body that `caller` may record, and how that is answered."""
    shown = example(method)
    for recorded in shown["record"]:
        answer = caller.rest("POST", recorded["path"], body=recorded["body"])
        assert answer.status == 200, answer.body
    return json.dumps(shown["ask"]["body"]).encode(), shown["answer"]


@each_post
@pytest.mark.parametrize("coding", ["gzip", "GZip", "x-gzip", "identity, gzip"])
def test_a_gzip_body_is_recorded_like_a_plain_one(
    owner: Caller, method: Method, coding: str
) -> None:
    body, answer = body_of(owner, method)
    compressed = post(owner, method, gzip.compress(body), coding)
    assert (compressed.status, compressed.body) == (200, answer)


@each_post
def test_a_body_of_several_members_is_recorded(owner: Caller, method: Method) -> None:
    body, answer = body_of(owner, method)
    members = [gzip.compress(body[at : at + 20]) for at in range(0, len(body), 20)]
    assert len(members) > 2
    compressed = post(owner, method, b"".join(members), "gzip")
    assert (compressed.status, compressed.body) == (200, answer)


@each_post
@pytest.mark.parametrize("coding", ["identity", "IDENTITY", ""])
def test_a_plain_body_may_say_so(owner: Caller, method: Method, coding: str) -> None:
    body, answer = body_of(owner, method)
    plain = post(owner, method, body, coding)
    assert (plain.status, plain.body) == (200, answer)


@each_post
@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body,
        lambda body: b"",
        lambda body: gzip.compress(body)[:-1],
        lambda body: gzip.compress(body)[:-8],
        lambda body: gzip.compress(body)[:12],
        lambda body: gzip.compress(body)[:-8] + b"\0" * 8,
        lambda body: gzip.compress(body) + b"more",
        zlib.compress,
    ],
    ids=["plain", "empty", "cut", "no end", "head", "wrong checksum", "more behind", "zlib"],
)
def test_a_body_that_is_not_what_it_says_is_400(owner: Caller, method: Method, damage: Any) -> None:
    body, _ = body_of(owner, method)
    answer = post(owner, method, damage(body), "gzip")
    assert answer.status == 400
    assert answer.body.items() >= NOT_GZIP.items()
    assert answer.fields == ["body"]


@each_post
@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br"])
def test_another_coding_is_415_and_says_what_is_accepted(
    owner: Caller, method: Method, coding: str
) -> None:
    body, _ = body_of(owner, method)
    answer = post(owner, method, gzip.compress(body), coding)
    assert (answer.status, answer.body) == (415, UNSUPPORTED)
    assert answer.headers["accept-encoding"] == "gzip"
    assert answer.headers["content-type"] == "application/json"
    assert "x-http-status" not in answer.headers


@each_post
def test_a_body_of_4_mib_once_inflated_is_read_and_one_byte_more_is_413(
    owner: Caller, method: Method
) -> None:
    body, recorded = body_of(owner, method)
    full = body + b" " * (4 * MIB - len(body))
    answer = post(owner, method, gzip.compress(full), "gzip")
    assert (answer.status, answer.body) == (200, recorded)
    answer = post(owner, method, gzip.compress(full + b" "), "gzip")
    assert (answer.status, answer.body) == (413, TOO_LARGE)
    assert "x-http-status" not in answer.headers


@each_post
@pytest.mark.parametrize("members", [1, 300])
def test_a_body_that_inflates_without_end_is_413(
    owner: Caller, method: Method, members: int
) -> None:
    bomb = gzip.compress(b" " * (900 * MIB // members // 3)) * members
    assert len(bomb) < 4 * MIB
    answer = post(owner, method, bomb, "gzip")
    assert (answer.status, answer.body) == (413, TOO_LARGE)


@each_post
def test_very_many_empty_members_are_read_in_time(owner: Caller, method: Method) -> None:
    empty = gzip.compress(b"")
    answer = post(owner, method, empty * (4 * MIB // len(empty) - 1), "gzip")
    assert answer.status == 400
    assert answer.message == "body must be a JSON object, not empty"


@each_post
def test_who_may_not_record_is_told_so_before_a_body_is_inflated(
    anybody: Caller, method: Method
) -> None:
    answer = post(anybody, method, b"no gzip", "gzip")
    assert answer.status == 401


def test_a_page_of_another_coding_is_not_taken_for_one_of_ours(owner: Caller) -> None:
    response = requests.get(
        f"{owner.stack.rest_url}/v1/custom-metrics/names",
        headers={**owner.credentials, "content-encoding": "br"},
        timeout=10,
    )
    assert response.status_code == 200
