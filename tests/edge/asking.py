"""How tests ask through Envoy: over REST, by native gRPC, and in raw HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
import requests
from tests.edge.conftest import Edge
from tests.edge.upstream import SERVICE
from tests.waiting import comes_to_hold

from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as rest_pb2


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
