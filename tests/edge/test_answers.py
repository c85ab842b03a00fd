"""What callers get through Envoy: REST, native gRPC and gRPC-Web on one port."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2
from tests.edge.conftest import ALLOWED_ORIGIN, Edge, run_edge
from tests.edge.upstream import SERVICE, Upstream
from tests.waiting import comes_to_hold

from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as rest_pb2

MIB = 1024 * 1024
VIOLATION = {"field": "startDate", "description": "must be a string"}


async def get(edge: Edge, path: str, **options: Any) -> requests.Response:
    return await asyncio.to_thread(requests.get, edge.url + path, timeout=30, **options)


async def post(edge: Edge, path: str, data: Any, **headers: str) -> requests.Response:
    return await asyncio.to_thread(
        requests.post, edge.url + path, data=data, headers=headers, timeout=30
    )


async def names(edge: Edge, agent_id: str, **headers: str) -> requests.Response:
    return await get(
        edge, "/v1/custom-metrics/names", params={"agentId": agent_id}, headers=headers
    )


async def native_names(
    target: str, agent_id: str, *, metadata: Sequence[tuple[str, str | bytes]] = (), **options: Any
) -> list[str]:
    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/GetNames",
            request_serializer=rest_pb2.GetNamesRequest.SerializeToString,
            response_deserializer=rest_pb2.GetNamesResponse.FromString,
        )
        answer = await call(
            rest_pb2.GetNamesRequest(agent_id=agent_id), metadata=tuple(metadata), **options
        )
        return list(answer.data)


def is_status(response: requests.Response, status: int, code: int, message: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"code": code, "message": message, "details": []}
    assert response.headers["cache-control"] == "no-store"


def grpc_headers(headers: Mapping[str, str]) -> list[str]:
    return [name for name in headers if name.lower().startswith(("grpc-", "x-envoy", "server"))]


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


async def test_an_unknown_path_or_method_is_404_in_our_shape(edge: Edge) -> None:
    message = "Could not resolve /v1/custom-metrics/nmaes to a method."
    is_status(await get(edge, "/v1/custom-metrics/nmaes"), 404, 5, message)
    message = "Could not resolve /v1/custom-metrics/names to a method."
    is_status(await post(edge, "/v1/custom-metrics/names", b"{}"), 404, 5, message)


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


async def test_native_grpc_keeps_status_message_and_details(edge: Edge) -> None:
    assert await native_names(edge.target, "agent_xyz") == ["agent_xyz"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await native_names(edge.target, "fail 3")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "startDate must be a string"
    trailers: dict[str, Any] = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "startDate"
    assert trailers["retry-after"] == "7"


async def test_native_grpc_passes_binary_metadata_and_the_deadline(edge: Edge) -> None:
    arrived = await native_names(edge.target, "headers", metadata=[("trace-bin", b"\x00\xff")])
    assert "trace-bin: b'\\x00\\xff'" in arrived
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await native_names(edge.target, "slow 5", timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_made_up_original_path_does_not_turn_native_grpc_into_rest(edge: Edge) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await native_names(edge.target, "fail 5", metadata=[("x-envoy-original-path", "/x")])
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


KINDS = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
]


@pytest.mark.parametrize("kind", KINDS)
async def test_grpc_web_keeps_its_status(edge: Edge, kind: str) -> None:
    async def call(agent_id: str) -> requests.Response:
        message = rest_pb2.GetNamesRequest(agent_id=agent_id).SerializeToString()
        frame = b"\0" + struct.pack(">I", len(message)) + message
        data = base64.b64encode(frame) if "text" in kind else frame
        return await post(edge, f"/{SERVICE}/GetNames", data, **{"content-type": kind})

    answer = await call("agent_xyz")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind.removesuffix("+proto") + "+proto"
    assert b"grpc-status:0" in (decoded(answer.content) if "text" in kind else answer.content)
    refused = await call("fail 3")
    assert refused.headers["grpc-status"] == "3"
    assert refused.headers["grpc-message"] == "startDate must be a string"


def decoded(text: bytes) -> bytes:
    """Decode base64 that was written in pieces, each with its own padding."""
    return b"".join(map(base64.b64decode, re.findall(rb"[A-Za-z0-9+/]+=*", text)))


CONNECT = "The Connect protocol is not supported: use gRPC, gRPC-Web or the REST paths"


@pytest.mark.parametrize("kind", ["application/json", "application/proto"])
async def test_a_unary_call_of_connect_is_rejected_in_our_shape(edge: Edge, kind: str) -> None:
    headers = {"content-type": kind, "connect-protocol-version": "1"}
    for path in (f"/{SERVICE}/GetNames", "/vumeter.custom_metrics.v1.CustomMetricsService/Any"):
        is_status(await post(edge, path, b"{}", **headers), 415, 12, CONNECT)


@pytest.mark.parametrize("kind", ["application/connect+json", "application/connect+proto"])
async def test_a_stream_of_connect_is_rejected_in_our_shape(edge: Edge, kind: str) -> None:
    response = await post(edge, f"/{SERVICE}/GetNames", b"\0\0\0\0\0", **{"content-type": kind})
    is_status(response, 415, 12, CONNECT)


async def test_a_get_of_connect_is_rejected_in_our_shape(edge: Edge) -> None:
    query = "connect=v1&encoding=json&message=%7B%7D"
    is_status(await get(edge, f"/{SERVICE}/GetNames?{query}"), 415, 12, CONNECT)


async def test_a_page_of_an_allowed_origin_sees_why_connect_is_rejected(edge: Edge) -> None:
    headers = {"connect-protocol-version": "1", "origin": ALLOWED_ORIGIN}
    response = await post(edge, f"/{SERVICE}/GetNames", b"{}", **headers)
    is_status(response, 415, 12, CONNECT)
    assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN


async def test_health_is_answered_by_envoy_with_what_it_knows_of_the_server(edge: Edge) -> None:
    for path in ("/healthz", "/healthz?probe=1"):
        response = await get(edge, path)
        assert response.status_code == 200
        assert response.json() == {"status": "SERVING"}
        assert grpc_headers(response.headers) == []


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


async def test_a_server_that_is_gone_is_503_for_everybody_until_it_is_back() -> None:
    first = Upstream()
    await first.start()
    async with run_edge(first.port, cors_origins=[]) as edge:
        await first.server.stop(0)
        response = await names(edge, "agent_xyz")
        is_status(response, 503, 14, "Service unavailable")
        assert response.headers["retry-after"] == "1"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await native_names(edge.target, "agent_xyz")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert caught.value.details() == "Service unavailable"
        metadata: dict[str, Any] = {
            **dict(caught.value.initial_metadata()),
            **dict(caught.value.trailing_metadata()),
        }
        retry = error_details_pb2.RetryInfo.FromString(metadata["google.rpc.retryinfo-bin"])
        assert retry.retry_delay.seconds == int(metadata["retry-after"]) == 1
        status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
        assert (status.code, status.message) == (14, "Service unavailable")
        assert status.details[0].Unpack(again_in := error_details_pb2.RetryInfo())
        assert again_in == retry
        await until_health(edge, 503)
        again = Upstream()
        await again.start(first.port)
        await until_health(edge, 200)
        await until(edge, "/v1/custom-metrics/names", 200)
        await again.server.stop(0)


async def test_a_server_that_says_not_serving_gets_no_more_requests() -> None:
    leaving = Upstream()
    await leaving.start()
    async with run_edge(leaving.port, cors_origins=[]) as edge:
        await leaving.health.enter_graceful_shutdown()
        await until_health(edge, 503)
        await until(edge, "/v1/custom-metrics/names", 503)
        is_status(await names(edge, "agent_xyz"), 503, 14, "Service unavailable")
    await leaving.server.stop(0)


async def until_health(edge: Edge, status: int) -> None:
    await until(edge, "/healthz", status)


async def until(edge: Edge, path: str, status: int) -> None:
    async def is_answered_so() -> bool:
        return (await get(edge, path)).status_code == status

    await comes_to_hold(is_answered_so, every_seconds=0.1)


async def raw_request(edge: Edge, request_line: str) -> bytes:
    def ask() -> bytes:
        host, port = edge.target.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            head = f"{request_line}\r\nhost: vumeter\r\nconnection: close\r\n\r\n"
            connection.sendall(head.encode("latin-1"))
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received

    return await asyncio.to_thread(ask)
