"""A clock that is wrong by years deletes nothing and closes no call, until it is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from pydantic import SecretStr
from tests.commands.command import parsed, vumeter
from tests.waiting import comes_to_hold

from vumeter.access.v1 import access_pb2, access_pb2_grpc
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc
from vumeter.live_metrics.v1 import live_metrics_pb2 as live_pb
from vumeter.live_metrics.v1 import live_metrics_pb2_grpc
from vumeter_server import app
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.sign_in import SqliteSignInAdministration
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.api import server as server_module
from vumeter_server.custom_metrics import rejections
from vumeter_server.custom_metrics.sqlite.maintenance import schedule
from vumeter_server.live_metrics import maintenance
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.settings import Settings
from vumeter_server.sqlite import open_database
from vumeter_server.times.rfc3339 import format_rfc3339
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US

TOKEN = "token-of-the-tests-0123456789abcdef"


@dataclass
class Offset:
    """The machine's clock, set ahead."""

    ahead_us: int = 0

    def __call__(self) -> int:
        return system_clock() + self.ahead_us


@dataclass
class Asked:
    """A running server, and what it has of one point and one call."""

    channel: grpc.aio.Channel
    key: str

    async def record(self, call: str = "c1") -> None:
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(self.channel)
        await metrics.RecordPoints(
            pb.RecordPointsRequest(points=[pb.Point(name="booking_attempt")]),
            metadata=[("authorization", f"Bearer {self.key}")],
        )
        event = live_pb.CallEvent(
            event_id=f"e-{call}", call_id=call, tenant_id="clinic", type=live_pb.EVENT_TYPE_STARTED
        )
        event.occur_time.FromMicroseconds(system_clock())
        live: Any = live_metrics_pb2_grpc.LiveMetricsServiceStub(self.channel)
        await live.RecordEvents(
            live_pb.RecordEventsRequest(events=[event]), metadata=[("x-admin-token", TOKEN)]
        )

    async def reject(self) -> None:
        """Record a point that is rejected."""
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(self.channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await metrics.RecordPoints(
                pb.RecordPointsRequest(points=[pb.Point(name="no name")]),
                metadata=[("authorization", f"Bearer {self.key}")],
            )

    async def sign_in(self, path: Path, clock: Callable[[], int]) -> str:
        """Sign in by a link, and return the id of the key."""
        code = SqliteSignInAdministration(open_database(path), clock).create_code(
            "acme", for_live=False
        )
        access: Any = access_pb2_grpc.AccessServiceStub(self.channel)
        answer = await access.SignIn(access_pb2.SignInRequest(code=code))
        return str(answer.keys[0].key).partition(".")[0]

    async def started_calls(self) -> int:
        """Return how many calls started since the service started."""
        live: Any = live_metrics_pb2_grpc.LiveMetricsServiceStub(self.channel)
        counters = await live.GetLiveMetrics(
            live_pb.GetLiveMetricsRequest(), metadata=[("x-admin-token", TOKEN)]
        )
        return int(counters.metrics.started_calls)

    async def state(self) -> tuple[float, int]:
        """Return the sum of the point and the number of active calls."""
        metrics: Any = custom_metrics_pb2_grpc.CustomMetricsServiceStub(self.channel)
        request = pb.AggregateMetricsRequest(metric_names=["booking_attempt"])
        request.selection.start_time.FromMicroseconds(system_clock() - DAY_US)
        request.selection.end_time.FromMicroseconds(system_clock() + MINUTE_US)
        answer = await metrics.AggregateMetrics(
            request, metadata=[("authorization", f"Bearer {self.key}")]
        )
        live: Any = live_metrics_pb2_grpc.LiveMetricsServiceStub(self.channel)
        counters = await live.GetLiveMetrics(
            live_pb.GetLiveMetricsRequest(), metadata=[("x-admin-token", TOKEN)]
        )
        return answer.rows[0].metrics["booking_attempt"], counters.metrics.active_calls


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "DRAIN_NOTICE_SECONDS", 0.0)
    monkeypatch.setattr(rejections, "SAVED_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(maintenance, "DROP_OLD_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(maintenance, "CLOSE_STUCK_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(schedule, "CHECK_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(schedule, "MAINTAIN_EVERY_US", 0)


@asynccontextmanager
async def served(
    path: Path, key: str, clock: Callable[[], int], call_ttl: str = "4h"
) -> AsyncIterator[Asked]:
    settings = Settings(
        db=path,
        grpc_port=0,
        admin_token=SecretStr(TOKEN),
        call_ttl=call_ttl,
        retention_days=1,
    )
    async with (
        app.running(settings, clock=clock) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Asked(channel, key)


async def test_a_start_500_days_ahead_deletes_nothing_until_the_clock_is_accepted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "vumeter.db"
    key = SqliteKeyAdministration(open_database(path)).create_key("acme", Role.OWNER, None).bearer
    clock = Offset()
    async with served(path, key, clock, "4h") as asked:
        await asked.record()
        assert await asked.state() == (1, 1)
    vumeter("db", "flush", db=path)
    clock.ahead_us = 500 * DAY_US
    async with served(path, key, clock, "4h") as asked:
        # Thirty times what maintenance waits between its steps.
        for _ in range(30):
            await asyncio.sleep(0.1)
            assert await asked.state() == (1, 1)
    assert "clock_not_trusted" in "".join(capfd.readouterr())
    shown = parsed(vumeter("clock", "status", "--format", "json", db=path))
    assert shown["trusted"] is False

    assert vumeter("clock", "accept", "--yes", db=path).startswith("the clock is accepted")
    async with served(path, key, clock, "4h") as asked:

        async def is_dropped() -> bool:
            # Silence of the call counts from when the clock was accepted.
            return await asked.state() == (0, 1)

        await comes_to_hold(is_dropped)


async def test_a_jump_while_running_pauses_deletion_until_it_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "vumeter.db"
    key = SqliteKeyAdministration(open_database(path)).create_key("acme", Role.OWNER, None).bearer
    clock = Offset()
    async with served(path, key, clock, "1s") as asked:
        clock.ahead_us = 366 * DAY_US
        await asyncio.sleep(0.3)
        clock.ahead_us = 0
        await asked.record()
        clock.ahead_us = 366 * DAY_US
        for _ in range(20):
            await asyncio.sleep(0.1)
            assert await asked.state() == (1, 1)
        clock.ahead_us = 0

        async def is_closed() -> bool:
            return await asked.state() == (1, 0)

        # Silence counts anew once the clock is trusted again.
        await comes_to_hold(is_closed)


def hours_of_rejections(path: Path) -> list[int]:
    """Return the hours since the epoch in which something was rejected."""
    rows = open_database(path).read(
        lambda connection: connection.execute("SELECT hour FROM rejections").fetchall()
    )
    return sorted(hour for (hour,) in rows)


async def test_a_jump_deletes_no_count_of_rejections_and_no_key_of_a_link(tmp_path: Path) -> None:
    path = tmp_path / "vumeter.db"
    keys = SqliteKeyAdministration(open_database(path))
    key = keys.create_key("acme", Role.OWNER, None).bearer
    clock = Offset()
    async with served(path, key, clock) as asked:

        async def saved_hours(count: int) -> None:
            await asked.reject()

            async def are_saved() -> bool:
                return len(await asyncio.to_thread(hours_of_rejections, path)) == count

            await comes_to_hold(are_saved)

        await saved_hours(1)
        of_today = await asked.sign_in(path, clock)
        clock.ahead_us = 366 * DAY_US
        await saved_hours(2)
        of_next_year = await asked.sign_in(path, clock)
        clock.ahead_us = 0
        shown = {each.key_id for each in keys.list_keys()}
        assert {of_today, of_next_year} <= shown
        await asked.sign_in(path, clock)
        assert len(hours_of_rejections(path)) == 2
    # The time that an operator accepts deletes both.
    clock.ahead_us = 366 * DAY_US
    vumeter("clock", "accept", "--yes", db=path)
    async with served(path, key, clock) as asked:

        async def is_trusted() -> bool:
            shown = vumeter("clock", "status", "--format", "json", db=path)
            return str(parsed(shown)["last_seen"]) > format_rfc3339(system_clock() + 365 * DAY_US)

        await comes_to_hold(is_trusted)
        await asked.sign_in(path, clock)
        assert of_today not in {each.key_id for each in keys.list_keys()}
        await asked.reject()

        async def is_forgotten() -> bool:
            hours = await asyncio.to_thread(hours_of_rejections, path)
            return hours[0] > (system_clock() + 364 * DAY_US) // HOUR_US

        await comes_to_hold(is_forgotten)


@pytest.mark.parametrize(("ahead_us", "counted"), [(500 * DAY_US, 1), (DAY_US, 0)])
async def test_a_start_with_a_clock_that_is_not_trusted_makes_no_event_too_old_to_count(
    tmp_path: Path, ahead_us: int, counted: int
) -> None:
    path = tmp_path / "vumeter.db"
    key = SqliteKeyAdministration(open_database(path)).create_key("acme", Role.OWNER, None).bearer
    clock = Offset()
    async with served(path, key, clock):

        async def is_seen() -> bool:
            shown = vumeter("clock", "status", "--format", "json", db=path)
            return parsed(shown)["last_seen"] is not None

        await comes_to_hold(is_seen)
    # A day ahead is trusted: then the call really is a day older than the start.
    clock.ahead_us = ahead_us
    async with served(path, key, clock) as asked:
        await asked.record()
        assert await asked.started_calls() == counted
