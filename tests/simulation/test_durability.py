"""The server is killed while calls are recorded."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

EXECUTION = "5819e158-0000-4000-8000-000000000001"
BATCH = 50


@contextmanager
def serving(db: Path) -> Iterator[tuple[subprocess.Popen[str], grpc.Channel]]:
    with subprocess.Popen(
        [sys.executable, "-m", "vumeter_server.cli", "serve", f"--db={db}", "--grpc-port=0"],
        env=os.environ | {"VUMETER_ADMIN_TOKEN": "t" * 32},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            target = process.stdout.readline().split()[-1]
            with grpc.insecure_channel(target) as channel:
                yield process, channel
        finally:
            process.kill()


def batch(number: int) -> pb.StreamCallsRequest:
    """A batch that reports new calls, and half of the batch before once more."""
    return pb.StreamCallsRequest(
        calls=[
            pb.Call(
                call_execution_id=f"5af9e484-0000-4000-8000-{call:012}",
                execution_id=EXECUTION,
                duration_seconds=number,
                latency=pb.CallLatency(avg_agent_latency_ms=random.Random(call).randrange(3_000)),
            )
            for call in range(number * BATCH - BATCH // 2, (number + 1) * BATCH)
            if call >= 0
        ]
    )


def test_acknowledged_batches_survive_a_kill_and_no_batch_is_half_there(tmp_path: Path) -> None:
    db = tmp_path / "vumeter.db"
    key = SqliteKeyAdministration(open_database(db)).create_key("acme", Role.MEMBER, None)
    with serving(db) as (process, channel):
        stub = SimulationServiceStub(channel)
        stub.RecordExecution(
            pb.RecordExecutionRequest(
                execution=pb.Execution(execution_id=EXECUTION, run_test_name="My Agent Test")
            ),
            metadata=shown(key),
        )
        acknowledged = 0
        try:
            for answer in stub.StreamCalls(map(batch, range(5_000)), metadata=shown(key)):
                acknowledged = answer.sequence
                if acknowledged == 40:
                    process.send_signal(signal.SIGKILL)
        except grpc.RpcError:
            pass
    assert 40 <= acknowledged < 5_000
    with serving(db) as (_, channel):
        check(SimulationServiceStub(channel), key, acknowledged)


def check(stub: SimulationServiceStub, key: NewKey, acknowledged: int) -> None:
    figures = stub.GetExecutionMetrics(
        pb.GetExecutionMetricsRequest(execution_id=EXECUTION, percentiles=[0, 50, 100]),
        metadata=shown(key),
    ).execution
    stored, rest = divmod(figures.calls.total, BATCH)
    assert rest == 0
    assert stored >= acknowledged
    # Every call of a batch carries its number, but for those that the next batch reported again.
    seconds = {call: call // BATCH for call in range(stored * BATCH)}
    seconds |= {
        call: call // BATCH + 1
        for call in range((stored - 1) * BATCH)
        if call % BATCH >= BATCH - BATCH // 2
    }
    assert figures.cost.total_duration_seconds.value == sum(seconds.values())
    latencies = sorted(random.Random(call).randrange(3_000) for call in range(stored * BATCH))
    middle = len(latencies) // 2
    assert [each.value for each in figures.latency.percentiles] == [
        latencies[0],
        (latencies[middle - 1] + latencies[middle]) / 2,
        latencies[-1],
    ]


def shown(key: NewKey) -> tuple[tuple[str, str], ...]:
    return (("x-api-key", key.key_id), ("x-secret-key", key.secret))
