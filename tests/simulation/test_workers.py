"""Simulation metrics from several server processes."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
import requests
from tests.stack import Stack, start_stack

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter.simulation.v1.simulation_pb2_grpc import SimulationServiceStub

EXECUTION = "5819e158-0000-4000-8000-000000000001"
METRICS = "/sdk/api/v1/simulation/metrics/"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("simulating-workers")
    started = start_stack(directory, "--workers", "2", VUMETER_ACCESS_LOG="false")
    yield started
    assert started.stop() == 0


def call(number: int, latency: float) -> pb.Call:
    return pb.Call(
        call_execution_id=f"5af9e484-0000-4000-8000-{number:012}",
        execution_id=EXECUTION,
        latency=pb.CallLatency(avg_agent_latency_ms=latency),
    )


def test_what_is_recorded_shows_in_the_next_answer_of_every_process(workers: Stack) -> None:
    key = workers.make_key("simulating", expires_us=None)
    headers = {"X-Api-Key": key.key_id, "X-Secret-Key": key.secret}
    metadata = (("x-api-key", key.key_id), ("x-secret-key", key.secret))
    with grpc.insecure_channel(workers.edge_target) as channel:
        stub = SimulationServiceStub(channel)
        execution = pb.Execution(execution_id=EXECUTION, run_test_name="My Agent Test")
        stub.RecordExecution(pb.RecordExecutionRequest(execution=execution), metadata=metadata)
        # Enough calls for their percentiles to be kept.
        many = [call(number, 640) for number in range(1_000)]
        stub.RecordCalls(pb.RecordCallsRequest(calls=many), metadata=metadata)
        for latency in range(1_000, 1_020):
            everyone = [
                pb.StreamCallsRequest(calls=[call(number, latency) for number in range(1_000)])
            ]
            answers = stub.StreamCalls(iter(everyone), metadata=metadata)
            assert [answer.recorded for answer in answers] == [1_000]
            for _ in range(4):
                # A connection of its own each time, so that Envoy chooses anew.
                answer = requests.get(
                    workers.rest_url + METRICS,
                    params={"execution_id": EXECUTION},
                    headers=headers,
                    timeout=10,
                ).json()
                assert answer["result"]["metrics"]["latency"] == {
                    "avg_agent_latency_ms": latency,
                    "avg_response_time_ms": 0,
                    "percentiles": {"p50": latency, "p95": latency, "p99": latency},
                }
