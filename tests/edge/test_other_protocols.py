"""Native gRPC, gRPC-Web and Connect through Envoy, on the port of the REST paths."""

from __future__ import annotations

import base64
import re
import struct
from typing import Any

import grpc
import grpc.aio
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2
from tests.edge.asking import get, is_status, native_names, post
from tests.edge.conftest import ALLOWED_ORIGIN, Edge
from tests.edge.upstream import SERVICE

from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as rest_pb2


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
