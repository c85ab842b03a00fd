"""What Envoy answers by itself: health, and in place of a server that is gone."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from tests.edge.asking import get, grpc_headers, is_status, names, native_names, until, until_health
from tests.edge.conftest import Edge, run_edge
from tests.edge.upstream import Upstream


async def test_health_is_answered_by_envoy_with_what_it_knows_of_the_server(edge: Edge) -> None:
    for path in ("/healthz", "/healthz?probe=1"):
        response = await get(edge, path)
        assert response.status_code == 200
        assert response.json() == {"status": "SERVING"}
        assert grpc_headers(response.headers) == []


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
