"""Database files of a real server, damaged, and what a server makes of them."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc.aio
import structlog
from click import ClickException
from click.testing import CliRunner
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from pydantic import SecretStr

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as custom
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc
from vumeter.live_metrics.v1 import live_metrics_pb2 as live
from vumeter.live_metrics.v1 import live_metrics_pb2_grpc
from vumeter.simulation.v1 import simulation_pb2 as simulation
from vumeter.simulation.v1 import simulation_pb2_grpc
from vumeter_server import app
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.cli import vumeter
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.settings import Settings
from vumeter_server.sqlite import DatabaseError, open_database
from vumeter_server.sqlite.library import sqlite3

TOKEN: Final = "token-of-the-tests-0123456789abcdef"
NOW_US: Final = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
PAGE_BYTES: Final = 4096
DAMAGED: Final = ("INTERNAL", "Stored data is damaged")
_SERVICES: Final[dict[str, tuple[Any, Any]]] = {
    "custom": (custom, custom_metrics_pb2_grpc.CustomMetricsServiceStub),
    "live": (live, live_metrics_pb2_grpc.LiveMetricsServiceStub),
    "simulation": (simulation, simulation_pb2_grpc.SimulationServiceStub),
}
# Two executions, as their calls are: one with more calls than two pages of latencies hold.
EXECUTIONS: Final = {
    "11111111-1111-4111-8111-111111111111": 1_100,
    "22222222-2222-4222-8222-222222222222": 40,
}
_DECEMBER = {"startTime": "2025-12-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"}
_EDGES = {"startTime": "2025-12-03T07:11:13Z", "endTime": "2025-12-29T19:23:31Z"}
_HISTORY = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T12:00:00Z", "step": "3600s"}

Answer = tuple[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A typed call: `custom.AggregateMetrics` with a request in the JSON of its proto."""

    method: str
    request: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method}({self.request})"

    async def answered(self, channel: grpc.aio.Channel, bearer: str) -> Answer:
        """Return OK and the answer, or the name of the status and its message."""
        family, _, name = self.method.partition(".")
        module, stub = _SERVICES[family]
        request: Message = ParseDict(self.request, getattr(module, f"{name}Request")())
        key_id, _, secret = bearer.partition(".")
        metadata = {
            "custom": [("authorization", f"Bearer {bearer}")],
            "live": [("x-admin-token", TOKEN)],
            "simulation": [("x-api-key", key_id), ("x-secret-key", secret)],
        }[family]
        call: Any = getattr(stub(channel), name)
        try:
            return "OK", MessageToDict(await call(request, metadata=metadata, timeout=20))
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()


QUERIES: Final = (
    Ask(method="custom.ListMetricNames"),
    Ask(method="custom.ListMetricNames", request={"agentId": "agent-1"}),
    Ask(method="custom.AggregateMetrics", request={"selection": _DECEMBER}),
    Ask(method="custom.AggregateMetrics", request={"selection": _EDGES, "groupBy": ["agent_id"]}),
    Ask(
        method="custom.AggregateMetrics",
        request={"selection": {**_EDGES, "tags": {"language": "en"}}, "groupBy": ["tier"]},
    ),
    Ask(method="custom.ListDailyMetrics", request={"selection": _DECEMBER}),
    Ask(
        method="custom.ListDailyMetrics",
        request={"selection": _EDGES, "timeZone": "Asia/Kolkata", "groupBy": ["language"]},
    ),
    *(
        Ask(
            method="custom.QueryTimeseries",
            request={"selection": selection, "metricName": name, "step": "21600s"},
        )
        for name in ("turns", "e2e_latency_ms", "queue_depth")
        for selection in (_DECEMBER, {**_EDGES, "agentId": "agent-2"})
    ),
    Ask(method="custom.ListTags"),
    Ask(method="custom.ListTags", request={"metricName": "turns"}),
    Ask(method="custom.GetSessionMetrics", request={"sessionId": "session-3"}),
    Ask(method="custom.GetSessionMetrics", request={"sessionId": "session-17"}),
    Ask(method="live.GetLiveMetrics"),
    Ask(method="live.GetLiveMetrics", request={"tenantId": "clinic-1"}),
    Ask(method="live.GetCapacity"),
    Ask(method="live.ListTenants"),
    Ask(method="live.GetHistory", request=_HISTORY),
    Ask(method="live.GetHistory", request={**_HISTORY, "tenantId": "clinic-2", "step": "60s"}),
    Ask(method="simulation.ListRunTests"),
    Ask(method="simulation.ListExecutionMetrics", request={"runTestName": "Booking"}),
    *(
        Ask(
            method="simulation.GetExecutionMetrics",
            request={"executionId": execution, "percentiles": [50, 90, 99.5]},
        )
        for execution in EXECUTIONS
    ),
    Ask(
        method="simulation.GetCallMetrics",
        request={"callExecutionId": "33333333-3333-4333-8333-000000000007"},
    ),
    Ask(
        method="simulation.CompareExecutions",
        request={"baselineExecutionId": next(iter(EXECUTIONS)), "executionId": list(EXECUTIONS)[1]},
    ),
)


def _point(number: int) -> dict[str, Any]:
    name = ("turns", "e2e_latency_ms", "queue_depth")[number % 3]
    kind = ("COUNTER", "HISTOGRAM", "GAUGE")[number % 3]
    # From 12 hours to 31 days ago.
    seconds = 43_200 + number * 7_919 % (30 * 86_400)
    return {
        "name": name,
        "type": f"METRIC_TYPE_{kind}",
        "value": (number * 37 % 9_000) / 10 + number % 7,
        "occurTime": _rfc3339(NOW_US - seconds * 1_000_000),
        "agentId": f"agent-{number % 5}",
        "environmentId": "production" if number % 4 else "staging",
        "sessionId": f"session-{number % 40}",
        "tags": {"language": ("en", "de", "hi")[number % 3], "tier": f"tier-{number % 11}"},
    }


def _rfc3339(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def points(first: int, count: int) -> Ask:
    """Return the recording of that many points."""
    made = [_point(number) for number in range(first, first + count)]
    return Ask(method="custom.RecordPoints", request={"points": made})


def calls(first: int, count: int) -> Ask:
    """Return the recording of the events of that many calls, of which a third goes on."""
    events = []
    for number in range(first, first + count):
        began = NOW_US - (600 + number * 53 % 36_000) * 1_000_000
        steps = ("ACCEPTED", "STARTED", "REFERRED", "ENDED")[: 4 if number % 3 else 2]
        for place, step in enumerate(steps):
            event = {
                "eventId": f"event-{number}-{step}",
                "callId": f"call-of-the-clinic-{number}",
                "tenantId": f"clinic-{number % 6}",
                "type": f"EVENT_TYPE_{step}",
                "occurTime": _rfc3339(began + place * 60_000_000),
            }
            if step == "ENDED":
                event["outcome"] = "CALL_OUTCOME_COMPLETED"
            events.append(event)
    return Ask(method="live.RecordEvents", request={"events": events})


def simulated_calls(execution: str, first: int, count: int) -> Ask:
    """Return the recording of that many simulated calls."""
    made = [
        {
            "callExecutionId": f"33333333-3333-4333-8333-{number:012d}",
            "executionId": execution,
            "status": "CALL_STATUS_COMPLETED",
            "durationSeconds": 61.5 + number % 90,
            "latency": {"avgAgentLatencyMs": 600 + number * 17 % 900, "responseTimeMs": 420},
            "cost": {"totalCostCents": 3.25 + number % 5},
        }
        for number in range(first, first + count)
    ]
    return Ask(method="simulation.RecordCalls", request={"calls": made})


RECORDINGS: Final = (
    points(50_000, 3),
    calls(50_000, 2),
    simulated_calls(next(iter(EXECUTIONS)), 50_000, 2),
)


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Run a server on the file, in this process."""
    settings = Settings(
        db=path,
        grpc_port=0,
        admin_token=SecretStr(TOKEN),
        call_ttl="400d",
        epoch_id="epoch-of-the-tests",
    )
    async with (
        app.running(settings, clock=lambda: NOW_US) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel


async def _record(path: Path, bearer: str, asks: Sequence[Ask]) -> None:
    async with served(path) as channel:
        for ask in asks:
            status, answer = await ask.answered(channel, bearer)
            assert status == "OK", answer


async def _flush(path: Path, *, everything: bool) -> None:
    database = open_database(path)
    writer, readers = database.writer(), database.readers()
    store = SqliteMetricStore(writer, readers, lambda: NOW_US, flush_at_points=1)
    try:
        await store.maintenance.flush(everything=everything)
    finally:
        readers.close()
        writer.close()


async def write(path: Path) -> str:
    """Write a database with something in every table; return the key of its organization."""
    bearer = SqliteKeyAdministration(open_database(path)).create_key("acme", Role.OWNER, None)
    for number in range(40):
        # Enough keys for more than one page.
        SqliteKeyAdministration(open_database(path)).create_key(f"other-{number}", Role.OWNER, None)
    await _record(path, bearer.bearer, [points(0, 6_000)])
    await _flush(path, everything=True)
    runs = [
        Ask(
            method="simulation.RecordExecution",
            request={"execution": {"executionId": each, "runTestName": "Booking"}},
        )
        for each in EXECUTIONS
    ]
    simulated = [
        simulated_calls(each, 10_000 * place, count)
        for place, (each, count) in enumerate(EXECUTIONS.items())
    ]
    await _record(path, bearer.bearer, [points(6_000, 900), calls(0, 300), *runs, *simulated])
    await _flush(path, everything=False)
    await _record(path, bearer.bearer, [points(6_900 + 40 * each, 40) for each in range(10)])
    # So that nothing stands in the file twice, in a page that is free now.
    open_database(path).vacuum()
    return bearer.bearer


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page of a table or an index, which begins at `start` in the file."""

    name: str
    start: int
    is_leaf: bool


def pages(path: Path) -> Iterator[Page]:
    """Yield the pages of every table and index, without those on which long rows go on."""
    data = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        roots = connection.execute(
            "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0"
        ).fetchall()
    for name, root in [("sqlite_schema", 1), *roots]:
        yield from _tree(data, name, root)


def _tree(data: bytes, name: str, number: int) -> Iterator[Page]:
    start = (number - 1) * PAGE_BYTES
    header = start + (100 if number == 1 else 0)
    kind, _, cells = struct.unpack_from(">BHH", data, header)
    is_leaf = kind in (10, 13)
    yield Page(name=name, start=start, is_leaf=is_leaf)
    if is_leaf:
        return
    for cell in struct.unpack_from(f">{cells}H", data, header + 12):
        yield from _tree(data, name, *struct.unpack_from(">I", data, start + cell))
    yield from _tree(data, name, *struct.unpack_from(">I", data, header + 8))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a damaged file."""

    refused: str
    """Why a server would not start, empty if it did."""
    queries: dict[str, tuple[Answer, ...]]
    recordings: dict[str, Answer]
    logged: Sequence[Mapping[str, Any]]
    check_status: int
    check_printed: str


async def meet(path: Path, bearer: str) -> Outcome:
    """Check a file as an operator does, then ask a server on it everything twice, and record."""
    status, printed = check(path)
    queries: dict[str, tuple[Answer, ...]] = {}
    recordings: dict[str, Answer] = {}
    refused = ""
    with structlog.testing.capture_logs() as logged:
        try:
            async with served(path) as channel:
                for _ in range(2):
                    for ask in QUERIES:
                        answer = await ask.answered(channel, bearer)
                        queries[str(ask)] = (*queries.get(str(ask), ()), answer)
                for ask in RECORDINGS:
                    recordings[ask.method] = await ask.answered(channel, bearer)
        except (DatabaseError, StorageDamaged) as error:
            refused = str(error)
    return Outcome(
        refused=refused,
        queries=queries,
        recordings=recordings,
        logged=logged,
        check_status=status,
        check_printed=printed,
    )


def check(path: Path) -> tuple[int, str]:
    """Run `vumeter db check`; return its status and what it printed."""
    done = CliRunner().invoke(vumeter, ["db", "check", "--db", str(path)], standalone_mode=False)
    if isinstance(done.exception, ClickException):
        return 2, done.exception.format_message()
    if done.exception is not None:
        raise done.exception
    return int(done.return_value or 0), done.output


Damage = Callable[[bytearray, int, random.Random], None]


def _zeros(data: bytearray, start: int, chance: random.Random) -> None:
    data[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)


def _garbage(data: bytearray, start: int, chance: random.Random) -> None:
    data[start : start + PAGE_BYTES] = chance.randbytes(PAGE_BYTES)


def _cut(data: bytearray, start: int, chance: random.Random) -> None:
    # Half a page stays: where the disk was full, or a copy was broken off.
    del data[start + PAGE_BYTES // 2 :]


PAGE_DAMAGES: Final[dict[str, Damage]] = {"zeros": _zeros, "garbage": _garbage, "cut": _cut}


def flipped(data: bytes, blobs: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a file with one flipped bit in one of some blobs.

    A long blob lies in several pages, and its rest may stand in the free part of others: so a part
    of 64 bytes is looked up that is there once.
    """
    for blob in chance.sample(blobs, len(blobs)):
        parts = [blob[first : first + 64] for first in range(0, max(len(blob) - 64, 1), 8)]
        parts = [part for part in parts if data.count(part) == 1]
        if parts:
            part = chance.choice(parts)
            damaged = bytearray(data)
            damaged[data.index(part) + chance.randrange(len(part))] ^= 1 << chance.randrange(8)
            return bytes(damaged)
    raise AssertionError("no part of a blob is found in the file")
