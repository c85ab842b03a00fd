"""What the access log says of a request is what its caller got."""

from __future__ import annotations

import json
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.edge.asking import names, native_names
from tests.edge.conftest import run_edge
from tests.edge.upstream import Upstream


async def test_a_rest_request_has_no_grpc_status_and_a_grpc_request_has_its_own(
    upstream: Upstream, capfd: pytest.CaptureFixture[str]
) -> None:
    async with run_edge(upstream.port, cors_origins=[], access_log=True) as edge:
        for asked in ("agent_xyz", "fail 3"):
            await names(edge, asked)
        await native_names(edge.target, "agent_xyz")
        with pytest.raises(grpc.aio.AioRpcError):
            await native_names(edge.target, "fail 3")
    # Envoy has ended, and with it everything is written.
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")
    ]
    assert [(line["status"], line["grpc_status"]) for line in lines] == [
        (200, ""),
        (400, ""),
        (200, "0"),
        (200, "3"),
    ]
