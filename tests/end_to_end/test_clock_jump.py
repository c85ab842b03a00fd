"""The clock of the machine jumps a year ahead, and back, under the real server: nothing is lost.

libfaketime stands between the server and the machine's clock; the monotonic clock goes on.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.commands.command import parsed, vumeter
from tests.waiting import until

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1 import live_metrics_pb2_grpc
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.runtime.parent_death import ending_with_parent
from vumeter_server.sqlite import open_database

TOKEN = "token-of-the-tests-0123456789abcdef"
LIBRARY = next(
    (str(path) for path in Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1")), None
)
A_YEAR = "+366d"
NOW = "+0"

pytestmark = pytest.mark.skipif(
    LIBRARY is None, reason="libfaketime is not installed: apt-get install libfaketime"
)


@dataclass
class Server:
    """A running server whose clock can be set, and one point and one call in it."""

    channel: grpc.Channel
    bearer: str
    offset: Path
    log: Path

    def set_clock(self, offset: str) -> None:
        """Set the server's clock, and wait until it has looked at it."""
        seen = len(self.told("clock_not_trusted")), len(self.told("clock_trusted_again"))
        self.offset.write_text(offset)
        kind = 0 if offset == A_YEAR else 1
        what = ("clock_not_trusted", "clock_trusted_again")[kind]
        until(lambda: len(self.told(what)) > seen[kind])

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return what the log says of an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [line for line in lines if line.get("event") == event]

    def record_point(self) -> None:
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(self.channel)
        metrics.RecordPoints(
            pb.RecordPointsRequest(points=[pb.Point(name="booking_attempt")]),
            metadata=[("authorization", f"Bearer {self.bearer}")],
            timeout=20,
        )

    def start_call(self) -> None:
        event = live_pb.CallEvent(
            event_id="e1", call_id="c1", tenant_id="clinic", type=live_pb.EVENT_TYPE_STARTED
        )
        event.occur_time.GetCurrentTime()
        live: Any = live_metrics_pb2_grpc.LiveMetricsServiceStub(self.channel)
        live.RecordEvents(
            live_pb.RecordEventsRequest(events=[event]),
            metadata=[("x-admin-token", TOKEN)],
            timeout=20,
        )

    def reject_point(self) -> None:
        """Record a point that is rejected, and wait until the count of it is saved."""
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(self.channel)
        before = self.rejected_requests()
        with pytest.raises(grpc.RpcError):
            metrics.RecordPoints(
                pb.RecordPointsRequest(points=[pb.Point(name="no name")]),
                metadata=[("authorization", f"Bearer {self.bearer}")],
                timeout=20,
            )
        until(lambda: self.rejected_requests() == before + 1)

    def rejected_requests(self) -> int:
        """Return how many requests the database has counted as rejected."""
        database = open_database(self.log.parent / "vumeter.db")
        (requests,) = database.read(
            lambda connection: connection.execute(
                "SELECT ifnull(sum(requests), 0) FROM rejections"
            ).fetchone()
        )
        return int(requests)

    def state(self) -> tuple[float, int]:
        """Return the sum of the points and the number of active calls."""
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(self.channel)
        request = pb.AggregateMetricsRequest(metric_names=["booking_attempt"])
        request.selection.start_time.FromSeconds(int(time.time()) - 86_400)
        request.selection.end_time.FromSeconds(int(time.time()) + 86_400)
        answer = metrics.AggregateMetrics(
            request, metadata=[("authorization", f"Bearer {self.bearer}")], timeout=20
        )
        live: Any = live_metrics_pb2_grpc.LiveMetricsServiceStub(self.channel)
        counters = live.GetLiveMetrics(
            live_pb.GetLiveMetricsRequest(), metadata=[("x-admin-token", TOKEN)], timeout=20
        )
        return answer.rows[0].metrics["booking_attempt"], counters.metrics.active_calls


@contextmanager
def served(directory: Path, bearer: str, offset: str) -> Iterator[Server]:
    """Run `vumeter serve` with its clock set off."""
    file, log, output = (directory / name for name in ("offset", "stderr.log", "stdout.log"))
    file.write_text(offset)
    with log.open("w") as stderr, output.open("w") as stdout:
        process = subprocess.Popen(
            ending_with_parent(
                [
                    *(sys.executable, "-m", "vumeter_server.cli", "serve"),
                    *("--db", str(directory / "vumeter.db"), "--grpc-port", "0"),
                ]
            ),
            env={
                **os.environ,
                "LD_PRELOAD": str(LIBRARY),
                "FAKETIME_TIMESTAMP_FILE": str(file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "VUMETER_ADMIN_TOKEN": TOKEN,
                "VUMETER_RETENTION_DAYS": "30",
            },
            stdout=stdout,
            stderr=stderr,
        )
    try:
        found: list[str] = []

        def is_up() -> bool:
            assert process.poll() is None, log.read_text()
            found.extend(re.findall(r"127\.0\.0\.1:\d+", output.read_text()))
            return bool(found)

        until(is_up, seconds=90)
        with grpc.insecure_channel(found[0]) as channel:
            yield Server(channel=channel, bearer=bearer, offset=file, log=log)
    finally:
        process.terminate()
        process.wait(timeout=40)


@pytest.mark.timeout(400)
def test_a_clock_that_jumps_a_year_ahead_and_back_deletes_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "vumeter.db")
    key = SqliteKeyAdministration(database).create_key("acme", Role.OWNER, None)
    with served(tmp_path, key.bearer, NOW) as server:
        server.record_point()
        server.reject_point()
        server.start_call()
        server.set_clock(A_YEAR)
        server.reject_point()
        assert server.state() == (1, 1)
        server.set_clock(NOW)
        assert server.state() == (1, 1)
        assert server.rejected_requests() == 2
        server.record_point()
    vumeter("db", "flush", db=tmp_path / "vumeter.db")
    # A start with the wrong clock looks for what is too old at once.
    with served(tmp_path, key.bearer, A_YEAR) as server:
        until(lambda: bool(server.told("clock_not_trusted")))
        assert server.state() == (2, 1)
        server.record_point()
        assert server.state() == (2, 1)
        server.reject_point()
        assert server.rejected_requests() == 3
        server.set_clock(NOW)
        assert server.state() == (2, 1)
    shown = parsed(vumeter("clock", "status", "--format", "json", db=tmp_path / "vumeter.db"))
    assert shown["trusted"] is True
    with served(tmp_path, key.bearer, NOW) as server:
        assert server.state() == (2, 1)
        assert server.told("clock_not_trusted") == []
    assert "no problem found" in vumeter("db", "check", db=tmp_path / "vumeter.db")
