"""What the access log says of a request is what its caller got."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.edge.asking import names, native_names
from tests.edge.conftest import run_edge
from tests.edge.upstream import Upstream
from tests.waiting import comes_to_hold


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


def lines_of(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


async def test_a_file_is_its_owners_and_stays_small_and_no_line_is_lost_when_it_is_put_aside(
    upstream: Upstream, tmp_path: Path
) -> None:
    log, before = tmp_path / "logs" / "access.log", tmp_path / "logs" / "access.log.1"
    options = {"access_log_file": log, "access_log_bytes": 4_000}
    asked = 0

    async def is_put_aside() -> bool:
        nonlocal asked
        if log.stat().st_size < 4_000 and not before.exists():
            await names(edge, "agent_xyz")
            asked += 1
        return before.exists()

    async with run_edge(upstream.port, cors_origins=[], access_log=True, **options) as edge:
        await comes_to_hold(is_put_aside)
        for _ in range(3):
            await names(edge, "agent_xyz")
    assert log.stat().st_mode & 0o777 == before.stat().st_mode & 0o777 == 0o600
    written = lines_of(before, log)
    assert len(written) == asked + 3
    assert {(line["path"], line["status"]) for line in written} == {
        ("/v1/custom-metrics/names", 200)
    }
    assert len(lines_of(log)) >= 1


async def test_a_file_that_cannot_be_written_is_an_error_of_the_start(
    upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "logs").write_text("no folder")
    with pytest.raises(OSError, match="logs"):
        async with run_edge(
            upstream.port,
            cors_origins=[],
            access_log=True,
            access_log_file=tmp_path / "logs" / "access.log",
        ):
            pass
