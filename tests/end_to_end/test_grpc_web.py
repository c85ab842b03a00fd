"""gRPC-Web through Envoy, as a browser sends it: its status is kept."""

from __future__ import annotations

import base64
import re
import struct

import pytest
import requests
from tests.end_to_end.callers import Caller

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

SERVICE = "vumeter.custom_metrics.v1.CustomMetricsService"
KINDS = ["application/grpc-web+proto", "application/grpc-web-text+proto"]


def call(caller: Caller, kind: str, method: str, message: bytes) -> tuple[list[bytes], str]:
    """Return the messages of the answer, and its trailers."""
    frame = b"\0" + struct.pack(">I", len(message)) + message
    response = caller.session.post(
        f"{caller.stack.rest_url}/{SERVICE}/{method}",
        data=base64.b64encode(frame) if "text" in kind else frame,
        headers={**caller.credentials, "content-type": kind, "accept": kind, "x-grpc-web": "1"},
        timeout=10,
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == kind
    if "grpc-status" in response.headers:
        return [], trailers(response)
    return frames(decoded(response.content) if "text" in kind else response.content)


def decoded(text: bytes) -> bytes:
    """Decode base64 that was written in pieces, each with its own padding."""
    return b"".join(map(base64.b64decode, re.findall(rb"[A-Za-z0-9+/]+=*", text)))


def trailers(response: requests.Response) -> str:
    named = {name.lower(): value for name, value in response.headers.items()}
    return "".join(f"{name}:{named[name]}\r\n" for name in sorted(named) if name[:5] == "grpc-")


def frames(data: bytes) -> tuple[list[bytes], str]:
    messages, last = [], ""
    while data:
        flags, length = struct.unpack(">BI", data[:5])
        content, data = data[5 : 5 + length], data[5 + length :]
        if flags & 0x80:
            last = content.decode()
        else:
            messages.append(content)
    return messages, last


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_comes_with_its_status(owner: Caller, kind: str) -> None:
    point = pb.Point(name="booking_attempt")
    request = pb.RecordPointsRequest(points=[point]).SerializeToString()
    (answer,), status = call(owner, kind, "RecordPoints", request)
    assert pb.RecordPointsResponse.FromString(answer).recorded == 1
    assert "grpc-status:0" in status
    (answer,), _ = call(owner, kind, "ListMetricNames", b"")
    assert list(pb.ListMetricNamesResponse.FromString(answer).names) == ["booking_attempt"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_comes_with_status_message_and_details(
    owner: Caller, anybody: Caller, kind: str
) -> None:
    messages, status = call(owner, kind, "GetSessionMetrics", b"")
    assert messages == []
    assert "grpc-status:3" in status
    assert "grpc-message:session_id must be a string" in status
    assert "grpc-status-details-bin:" in status
    _, status = call(anybody, kind, "ListMetricNames", b"")
    assert "grpc-status:16" in status
