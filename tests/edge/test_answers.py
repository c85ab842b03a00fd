"""What callers get through Envoy: REST, native gRPC and gRPC-Web on one port."""

from __future__ import annotations

import asyncio
import gzip
import json
import re

import pytest
import requests
from tests.edge.asking import get, grpc_headers, is_status, names, post, raw_request
from tests.edge.conftest import ALLOWED_ORIGIN, Edge, run_edge
from tests.edge.upstream import Upstream

MIB = 1024 * 1024
VIOLATION = {"field": "startDate", "description": "must be a string"}


async def test_an_answer_carries_a_request_id_and_no_store_and_nothing_of_grpc(edge: Edge) -> None:
    response = await names(edge, "agent_xyz")
    assert response.json() == {"data": ["agent_xyz"]}
    assert response.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-request-id"])
    assert grpc_headers(response.headers) == []


async def test_the_request_id_of_a_caller_comes_back_and_reaches_the_server(edge: Edge) -> None:
    response = await names(edge, "headers", **{"x-request-id": "call-17/try-2"})
    assert response.headers["x-request-id"] == "call-17/try-2"
    assert "x-request-id: call-17/try-2" in response.json()["data"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (3, 400),
        (16, 401),
        (7, 403),
        (5, 404),
        (6, 409),
        (10, 409),
        (8, 429),
        (13, 500),
        (14, 503),
        (4, 504),
    ],
)
async def test_a_status_of_the_server_becomes_http_with_its_details(
    edge: Edge, code: int, status: int
) -> None:
    response = await names(edge, f"fail {code}")
    assert response.status_code == status
    error = response.json()
    assert (error["code"], error["message"]) == (code, "startDate must be a string")
    (detail,) = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    (violation,) = detail["fieldViolations"]
    assert violation.items() >= VIOLATION.items()
    assert response.headers["retry-after"] == "7"
    assert grpc_headers(response.headers) == []


async def test_an_unknown_parameter_reaches_the_server_in_the_path_as_it_was_asked(
    edge: Edge,
) -> None:
    path = "/v1/custom-metrics/names?agentid=agent%5Fxyz&agentId=headers&agentId.x=1&=&&"
    # requests would tidy the path up.
    raw = await raw_request(edge, f"GET {path} HTTP/1.1")
    assert f"x-envoy-original-path: {path}" in json.loads(raw.partition(b"\r\n\r\n")[2])["data"]


@pytest.mark.parametrize(
    ("path", "session"),
    [
        ("a%2Fb", "a/b"),
        ("caf%C3%A9%20%2B1", "café +1"),
        ("a+b", "a+b"),
        ("%2E%2E", ".."),
        ("session_abc123/", "session_abc123"),
        ("x:y@z", "x:y@z"),
    ],
)
async def test_a_session_id_may_hold_any_character(edge: Edge, path: str, session: str) -> None:
    # requests would tidy the path up.
    raw = await raw_request(edge, f"GET /v1/custom-metrics/sessions/{path} HTTP/1.1")
    assert json.loads(raw.partition(b"\r\n\r\n")[2]) == session


async def test_a_plus_in_a_query_is_a_space(edge: Edge) -> None:
    response = await get(edge, "/v1/custom-metrics/names?agentId=My+Agent%2B1")
    assert response.json() == {"data": ["My Agent+1"]}


async def test_parameters_bind_by_the_documented_and_by_the_proto_name(edge: Edge) -> None:
    response = await get(edge, "/v1/custom-metrics/names?agent_id=agent_xyz")
    assert response.json() == {"data": ["agent_xyz"]}


async def test_a_body_of_4_mib_passes(edge: Edge, upstream: Upstream) -> None:
    response = await post(edge, "/v1/custom-metrics", b"x" * (4 * MIB - 1024))
    assert response.json() == {"data": {"recorded": 4 * MIB - 1024}}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_4_mib_is_413(edge: Edge, chunked: bool) -> None:
    body = b"x" * (5 * MIB)
    response = await post(edge, "/v1/custom-metrics", iter([body]) if chunked else body)
    is_status(response, 413, 8, "The request body is larger than 4 MiB")


async def test_an_answer_of_20_mib_passes(edge: Edge) -> None:
    response = await get(edge, "/v1/custom-metrics/tags", params={"agentId": str(20 * MIB)})
    assert len(response.content) == 20 * MIB


async def test_an_answer_over_64_mib_is_an_error_in_our_shape(edge: Edge) -> None:
    response = await get(edge, "/v1/custom-metrics/tags", params={"agentId": str(65 * MIB)})
    is_status(response, 500, 13, "Internal server error")


async def test_larger_answers_are_compressed_for_those_who_ask(edge: Edge) -> None:
    large = {"agentId": "20000"}
    response = await get(
        edge,
        "/v1/custom-metrics/tags",
        params=large,
        headers={"accept-encoding": "gzip"},
        stream=True,
    )
    assert response.headers["content-encoding"] == "gzip"
    raw = response.raw.read(decode_content=False)
    assert len(raw) < 1000
    assert len(gzip.decompress(raw)) == 20000
    plain = await get(
        edge, "/v1/custom-metrics/tags", params=large, headers={"accept-encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    small = await get(edge, "/v1/custom-metrics/tags", params={"agentId": "500"})
    assert "content-encoding" not in small.headers


async def test_headers_that_mean_something_in_grpc_do_not_pass_from_rest(edge: Edge) -> None:
    response = await names(
        edge,
        "headers",
        **{
            "grpc-timeout": "1n",
            "grpc-encoding": "brotli",
            "trace-bin": "!!",
            "x-envoy-upstream-rq-timeout-ms": "1",
            "x-envoy-original-path": "/elsewhere",
            "authorization": "Bearer key",
        },
    )
    arrived = dict(line.split(": ", 1) for line in response.json()["data"])
    assert arrived["authorization"] == "Bearer key"
    assert arrived["x-envoy-original-path"].startswith("/v1/custom-metrics/names")
    assert not {"grpc-encoding", "trace-bin", "x-envoy-upstream-rq-timeout-ms"} & arrived.keys()


@pytest.mark.parametrize(
    "request_line", ["GARBAGE", "GET /v1/\xff HTTP/1.1", "GET / HTTP/1.1\r\nno colon"]
)
async def test_what_is_not_http_is_400_in_our_shape(edge: Edge, request_line: str) -> None:
    head, _, body = (await raw_request(edge, request_line)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body) == {"code": 3, "message": "Malformed request", "details": []}


async def test_too_many_headers_are_431_in_our_shape(edge: Edge) -> None:
    response = await names(edge, "agent_xyz", **{"x-long": "x" * 40_000})
    is_status(response, 431, 3, "The request headers are larger than 32 KiB")


# What pages and the libraries in them send: of ours, of gRPC-Web and Connect, of tracing, of fetch.
BROWSERS_SEND = {
    *("authorization", "x-api-key", "x-secret-key", "x-admin-token"),
    *("content-type", "content-encoding", "x-request-id", "x-requested-with", "idempotency-key"),
    *("x-grpc-web", "x-user-agent", "grpc-timeout"),
    *("connect-protocol-version", "connect-timeout-ms"),
    *("traceparent", "tracestate"),
    *("cache-control", "if-none-match"),
}


@pytest.mark.parametrize("path", ["/healthz", "/healthz?probe=1"])
async def test_a_page_of_an_allowed_origin_can_read_health(edge: Edge, path: str) -> None:
    response = await get(edge, path, headers={"origin": ALLOWED_ORIGIN})
    assert (response.status_code, response.json()) == (200, {"status": "SERVING"})
    assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    other = await get(edge, path, headers={"origin": "https://elsewhere.example.com"})
    assert other.status_code == 200
    assert "access-control-allow-origin" not in other.headers
    preflight = await asyncio.to_thread(
        requests.options,
        edge.url + path,
        headers={
            "origin": ALLOWED_ORIGIN,
            "access-control-request-method": "GET",
            "access-control-request-headers": "traceparent",
        },
        timeout=10,
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ALLOWED_ORIGIN


async def test_an_allowed_origin_may_call_and_another_may_not(edge: Edge) -> None:
    preflight = {
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }

    async def options(origin: str) -> requests.Response:
        return await asyncio.to_thread(
            requests.options,
            edge.url + "/v1/custom-metrics/names",
            headers={"origin": origin, **preflight},
            timeout=10,
        )

    allowed = await options(ALLOWED_ORIGIN)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert set(allowed.headers["access-control-allow-headers"].split(", ")) == BROWSERS_SEND
    assert "access-control-allow-credentials" not in allowed.headers
    answer = await names(edge, "agent_xyz", origin=ALLOWED_ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    refused = await names(edge, "fail 16", origin=ALLOWED_ORIGIN)
    assert refused.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    for origin in (ALLOWED_ORIGIN + ".evil.example", "http://dashboard.example.com", "null"):
        assert "access-control-allow-origin" not in (await options(origin)).headers
        answer = await names(edge, "agent_xyz", origin=origin)
        assert "access-control-allow-origin" not in answer.headers


async def test_without_origins_a_preflight_is_an_unknown_path(upstream: Upstream) -> None:
    async with run_edge(upstream.port, cors_origins=[]) as edge:
        response = await asyncio.to_thread(
            requests.options,
            edge.url + "/v1/custom-metrics/names",
            headers={"origin": ALLOWED_ORIGIN, "access-control-request-method": "GET"},
            timeout=10,
        )
        assert response.status_code == 404
        assert not [name for name in response.headers if name.lower().startswith("access-")]
