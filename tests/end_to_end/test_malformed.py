"""What no caller can mean, on every path, parameter and method: 400, and nothing of the parser."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from google.protobuf.descriptor import FieldDescriptor
from tests.end_to_end.api import CLOSED_REST, METHODS, REST, Method
from tests.end_to_end.callers import Answer, Caller

DEEP = '{"a":' * 100 + "1" + "}" * 100
NOT_UTF8 = "%ff"
MALFORMED = {"code": 3, "message": "Malformed request", "details": []}
PARAMETERS = [(method, name) for method in REST for name in method.query_parameters]
IN_PATHS = [method for method in CLOSED_REST if "{" in method.path]
# What OTLP rejects has tests of its own: it ignores unknown fields, and some bodies are not read.
BODIES = [method for method in REST if method.verb == "POST" and method.family != "otlp"]
# What a parameter needs beside it before it is looked at.
BESIDE = {
    "startDate": "2025-04-01",
    "endDate": "2025-04-02",
    "metricName": "booking_attempt",
    "baseline_execution_id": "5819e158-0000-4000-8000-000000000001",
    "execution_id": "5819e158-0000-4000-8000-000000000002",
}
# Parameters that only count beside another one, and what must be missing for them to count.
ALONE = {"page": {"run_test_name": "My Agent Test"}, "limit": {"run_test_name": "My Agent Test"}}


def ids(pairs: list[tuple[Method, str]]) -> list[str]:
    return [f"{method.name}?{name}" for method, name in pairs]


def path_of(method: Method, value: str = "x") -> str:
    return re.sub(r"\{\w+\}", value, method.path)


def beside(method: Method, name: str) -> dict[str, str]:
    if name in ALONE:
        return dict(ALONE[name])
    if method.path.endswith("/simulation/metrics"):
        return {}
    known = method.query_parameters
    return {key: value for key, value in BESIDE.items() if key in known and key != name}


def is_400(answer: Answer) -> None:
    assert answer.status == 400, answer.body
    assert answer.code == 3
    assert "DecodeError" not in str(answer.body)
    assert "UTF-8" not in answer.message or answer.fields == ["body"]


@pytest.mark.parametrize(("method", "name"), PARAMETERS, ids=ids(PARAMETERS))
def test_a_parameter_that_is_not_utf_8_is_400(owner: Caller, method: Method, name: str) -> None:
    query = "&".join(f"{key}={quote(value)}" for key, value in beside(method, name).items())
    is_400(owner.rest(method.verb, f"{path_of(method)}?{query}&{name}={NOT_UTF8}"))


@pytest.mark.parametrize(("method", "name"), PARAMETERS, ids=ids(PARAMETERS))
def test_a_parameter_of_deep_json_is_400(owner: Caller, method: Method, name: str) -> None:
    is_400(owner.rest(method.verb, path_of(method), {**beside(method, name), name: DEEP}))


@pytest.mark.parametrize("value", [NOT_UTF8, quote(DEEP, safe="")], ids=["not_utf_8", "deep"])
@pytest.mark.parametrize("method", IN_PATHS, ids=[method.name for method in IN_PATHS])
def test_a_path_that_is_not_utf_8_or_deep_json_is_400(
    owner: Caller, method: Method, value: str
) -> None:
    is_400(owner.rest(method.verb, path_of(method, value)))


@pytest.mark.parametrize("method", REST, ids=[method.name for method in REST])
def test_an_unknown_parameter_is_400_and_named(owner: Caller, method: Method) -> None:
    for value in ("1", NOT_UTF8, quote(DEEP)):
        answer = owner.rest(
            method.verb,
            f"{path_of(method)}?no_such={value}",
            body=b"{}" if method.verb == "POST" else None,
        )
        is_400(answer)
        assert answer.message == "no_such is not a known parameter"
        assert answer.fields == ["no_such"]


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b'{"\xff": 1}',
        b'{"points": "\xff"}',
        DEEP.encode(),
        b"[" * 100 + b"]" * 100,
        b"[" * 100_000,
        b'{"points": ' + DEEP.encode() + b"}",
        b'{"points": [{"name": "booking_attempt", "tags": ' + DEEP.encode() + b"}]}",
        b'{"events": [' + DEEP.encode() + b"]}",
        b'{"calls": [{"latency": {"customer_latency_metrics": ' + DEEP.encode() + b"}}]}",
        b'"points"',
        b"null",
        b"{} {}",
        b"\x00",
        b"\xef\xbb\xbf",
    ],
)
@pytest.mark.parametrize("method", BODIES, ids=[method.name for method in BODIES])
def test_a_body_that_cannot_be_meant_is_400(owner: Caller, method: Method, body: bytes) -> None:
    is_400(owner.rest(method.verb, path_of(method), body=body))


@pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
def test_a_message_that_cannot_be_read_is_400(owner: Caller, method: Method) -> None:
    broken = [b"\xff" * 20, b"\x0a\xff"] + [
        bytes([field.number << 3 | 2, 1, 0xFF])
        for field in method.descriptor.input_type.fields
        if field.type == FieldDescriptor.TYPE_STRING
    ]
    for data in broken:
        sent = [data] if method.descriptor.client_streaming else data
        answer = owner.rpc(method.name, sent)
        assert answer.body == MALFORMED
