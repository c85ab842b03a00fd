"""What simulation metrics cost: recording calls, and asking for the documented answers."""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import grpc
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.report import Measured, bounded
from bench.run import Run, Section
from bench.stack import running
from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

RUN_TEST = "benchmark"
BATCH = 1_000
REQUESTS = 300
EXECUTIONS = 10
CALLS = 100_000


class Bench:
    """A running product with one organization in it."""

    def __init__(self, rest_url: str, target: str, db: Path) -> None:
        administration = SqliteKeyAdministration(open_database(db, create=False))
        key = administration.create_key("bench", Role.MEMBER, None)
        self._metadata = (("x-api-key", key.key_id), ("x-secret-key", key.secret))
        self._rest_url = rest_url
        self._session = requests.Session()
        self._session.headers.update({"X-Api-Key": key.key_id, "X-Secret-Key": key.secret})
        channel = grpc.insecure_channel(target)
        through_envoy = grpc.insecure_channel(rest_url.removeprefix("http://"))
        self._stub = SimulationServiceStub(channel)
        self._empty = health_pb2_grpc.HealthStub(channel).Check
        self._empty_through_envoy = health_pb2_grpc.HealthStub(through_envoy).Check
        self._random = random.Random(1)
        self.executions: list[str] = []

    def record(self, executions: int, calls: int) -> Measured:
        """Record everything over one stream; the calls are built before the clock starts."""
        seconds = 0.0
        for _ in range(executions):
            execution_id = str(uuid.UUID(int=self._random.getrandbits(128)))
            self.executions.append(execution_id)
            self._stub.RecordExecution(
                pb.RecordExecutionRequest(
                    execution=pb.Execution(execution_id=execution_id, run_test_name=RUN_TEST)
                ),
                metadata=self._metadata,
            )
            batches = [
                pb.StreamCallsRequest(calls=[self._call(execution_id) for _ in range(size)])
                for size in _batch_sizes(calls)
            ]
            started = time.perf_counter()
            answers = self._stub.StreamCalls(iter(batches), metadata=self._metadata)
            recorded = sum(answer.recorded for answer in answers)
            seconds += time.perf_counter() - started
            if recorded != calls:
                raise SystemExit(f"{recorded} of {calls} calls were recorded")
        return bounded(
            what=f"durable recording over one gRPC stream, batches of {BATCH:,}",
            value=executions * calls / seconds,
            unit="calls/s",
            limit=5_000,
            higher_is_better=True,
        )

    def queries(self) -> Iterator[Measured]:
        """Measure the answers by execution and by run test: kept ones, and after a change."""
        for what, asks, changed in (
            ("by execution_id", self._by_execution(), self.executions[:1]),
            ("a page of executions", self._by_run_test(), self.executions),
        ):
            for way, ask, empty in (
                ("gRPC", asks[0], self._empty),
                ("REST", asks[1], self._empty_through_envoy),
            ):
                after_change = statistics.median(self._after_change(ask, changed))
                time.sleep(0.5)
                base = _median_ms(partial(empty, health_pb2.HealthCheckRequest()))
                yield bounded(
                    what=f"{what} over {way}, a call recorded just before",
                    value=after_change,
                    unit="ms",
                    limit=200,
                )
                yield bounded(
                    what=f"{what} over {way}, nothing recorded since ({base:.2f} ms empty RPC)",
                    value=_median_ms(ask) / base,
                    unit="times",
                    limit=10,
                )

    def _after_change(self, ask: Callable[[], object], changed: list[str]) -> list[float]:
        times = []
        for _ in range(10):
            for execution_id in changed:
                self._stub.RecordCalls(
                    pb.RecordCallsRequest(calls=[self._call(execution_id)]), metadata=self._metadata
                )
            times.append(_ms(ask))
        return times

    def _by_execution(self) -> tuple[Callable[[], object], Callable[[], object]]:
        execution_id = self.executions[0]
        request = pb.GetExecutionMetricsRequest(execution_id=execution_id)
        return (
            lambda: self._stub.GetExecutionMetrics(request, metadata=self._metadata),
            lambda: self._get(execution_id=execution_id),
        )

    def _by_run_test(self) -> tuple[Callable[[], object], Callable[[], object]]:
        request = pb.ListExecutionMetricsRequest(run_test_name=RUN_TEST)
        return (
            lambda: self._stub.ListExecutionMetrics(request, metadata=self._metadata),
            lambda: self._get(run_test_name=RUN_TEST),
        )

    def _get(self, **query: str) -> object:
        url = f"{self._rest_url}/sdk/api/v1/simulation/metrics/"
        answer = self._session.get(url, params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _call(self, execution_id: str) -> pb.Call:
        latency = self._random.uniform(300, 3_000)
        return pb.Call(
            call_execution_id=str(uuid.UUID(int=self._random.getrandbits(128))),
            execution_id=execution_id,
            duration_seconds=round(self._random.uniform(20, 200), 1),
            latency=pb.CallLatency(
                avg_agent_latency_ms=round(latency, 3), response_time_ms=round(latency * 1.08)
            ),
            cost=pb.CallCost(total_cost_cents=24, stt_cost_cents=4, llm_cost_cents=12),
            conversation=pb.CallConversation(
                user_wpm=214.37, bot_wpm=233.69, talk_ratio=0.217, user_interruption_rate=0.67
            ),
            chat_metrics=pb.CallChatMetrics(
                input_tokens=12_685, total_tokens=12_885, output_tokens=200, turn_count=10
            ),
        )


def _batch_sizes(calls: int) -> Iterator[int]:
    for begin in range(0, calls, BATCH):
        yield min(BATCH, calls - begin)


def _ms(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1_000


def _median_ms(ask: Callable[[], object]) -> float:
    return statistics.median(_ms(ask) for _ in range(REQUESTS))


def sections() -> list[Section]:
    """Return the section."""
    return [
        Section(
            name="simulation",
            title="Simulation metrics",
            note=(
                f"{EXECUTIONS} executions of {CALLS:,} calls; times are medians of one client,"
                " against a health check over the same way."
            ),
            measure=measure,
            full_only=True,
        )
    ]


def measure(run: Run) -> Iterator[Measured]:
    """Record, and ask."""
    with run.scratch() as directory, running(directory / "vumeter.db") as stack:
        bench = Bench(stack.rest_url, stack.grpc_target, directory / "vumeter.db")
        run.say(f"recording {EXECUTIONS} executions of {CALLS:,} calls")
        yield bench.record(EXECUTIONS, CALLS)
        run.say("asking for them")
        yield from bench.queries()
