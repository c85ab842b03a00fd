"""Several server processes: one writes, all answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from tests.stack import ADMIN_TOKEN, Stack, children_of, is_running, start_stack
from tests.telemetry.scraping import scrape

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_pb2_grpc as stubs
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import open_database

PATH = "/v1/custom-metrics"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("workers")
    started = start_stack(directory, "--workers", "3", VUMETER_ACCESS_LOG="false")
    yield started
    assert started.stop() == 0


def body(name: str, value: int) -> dict[str, Any]:
    return {"points": [{"name": name, "value": value, "timestamp": "2025-04-01T10:00:00Z"}]}


def test_what_one_process_recorded_every_process_answers_at_once(workers: Stack) -> None:
    headers = {"Authorization": f"Bearer {workers.make_key('dentists').bearer}"}
    url = workers.rest_url + PATH
    query = f"{url}/aggregate?startDate=2025-04-01&endDate=2025-04-02"
    for recorded in range(1, 31):
        # A connection of its own each time, so that Envoy chooses anew.
        answer = requests.post(url, json=body("booking_attempt", 1), headers=headers, timeout=10)
        assert answer.json() == {"data": {"recorded": 1}}
        for _ in range(3):
            found = requests.get(query, headers=headers, timeout=10).json()
            assert found == {"data": {"booking_attempt": recorded}}


def test_a_recording_that_is_passed_on_is_refused_in_the_same_words(workers: Stack) -> None:
    headers = {"Authorization": f"Bearer {workers.make_key('clinic').bearer}"}
    url = workers.rest_url + PATH
    for _ in range(6):
        refused = requests.post(url, json=body("booking_attempt", -1), headers=headers, timeout=10)
        assert refused.status_code == 400
        assert refused.json()["message"] == "points[0].value must not be negative for a counter"
        unknown = requests.post(url, json=body("booking_attempt", 1), timeout=10)
        assert unknown.status_code == 401


def test_one_scrape_shows_all_processes_and_which_of_them_hangs(workers: Stack) -> None:
    headers = {"Authorization": f"Bearer {workers.make_key('scraped').bearer}"}
    recorded = "vumeter_recorded_points_total"
    before = scrape(workers.metrics_url)
    for _ in range(6):
        point = body("booking_attempt", 1)
        answer = requests.post(workers.rest_url + PATH, json=point, headers=headers, timeout=10)
        assert answer.status_code == 200
    found = scrape(workers.metrics_url)
    assert [found.value("vumeter_worker_up", worker=number) for number in "123"] == [1, 1, 1]
    # Whichever process took it, it is counted once, where it was recorded.
    assert found.value(recorded) - before.value(recorded) == 6
    assert found.value(recorded, worker="1") == found.value(recorded)
    for name in ("vumeter_database_bytes", "vumeter_clock_trusted", "vumeter_watchers"):
        assert [each["worker"] for each in found.labels(name)] == ["1"]
    hanging = workers.children()[2]
    os.kill(hanging, signal.SIGSTOP)
    try:
        found = scrape(workers.metrics_url)
    finally:
        os.kill(hanging, signal.SIGCONT)
    assert sorted(found.value("vumeter_worker_up", worker=number) for number in "123") == [0, 1, 1]
    assert len(found.labels("process_resident_memory_bytes")) == 2


@contextlib.contextmanager
def servers_of(directory: Path, count: int) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    command = [
        *(sys.executable, "-m", "vumeter_server.cli", "serve", "--workers", str(count)),
        *("--db", str(directory / "vumeter.db"), "--grpc-port", "0"),
    ]
    environment = {"VUMETER_ADMIN_TOKEN": ADMIN_TOKEN}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        try:
            yield process, [line.removeprefix("gRPC on ").strip() for line in lines]
        finally:
            process.send_signal(signal.SIGINT)


def test_every_process_of_serve_takes_streams_and_queries(tmp_path: Path) -> None:
    with servers_of(tmp_path, 2) as (process, targets):
        administration = SqliteKeyAdministration(open_database(tmp_path / "vumeter.db"))
        key = administration.create_key("acme", Role.OWNER, None)
        metadata = (("authorization", f"Bearer {key.bearer}"),)
        for target in targets:
            with grpc.insecure_channel(target) as channel:
                stub = stubs.CustomMetricsServiceStub(channel)
                batch = pb.StreamPointsRequest(points=[pb.Point(name="booking_attempt")] * 5)
                answers = stub.StreamPoints(iter([batch, batch]), metadata=metadata)
                assert [answer.recorded for answer in answers] == [5, 5]
                names = stub.ListMetricNames(pb.ListMetricNamesRequest(), metadata=metadata)
                assert list(names.names) == ["booking_attempt"]
    assert process.returncode == 0


def test_when_the_process_that_writes_is_killed_all_end(tmp_path: Path) -> None:
    with servers_of(tmp_path, 2) as (process, _):
        writer, reader = children_of(process.pid)
        os.kill(writer, signal.SIGKILL)
        assert process.wait(timeout=30) == 1
    assert not is_running(reader)


def test_an_old_name_of_a_setting_is_warned_of_once_for_all_processes(tmp_path: Path) -> None:
    started = start_stack(
        tmp_path,
        *("--workers", "2"),
        VUMETER_ACCESS_LOG="false",
        VUMETER_SEAL_AT_POINTS="500",
        VUMETER_WRITER="127.0.0.1:1",
    )
    assert started.stop() == 0
    told = [json.loads(line) for line in started.log.read_text().splitlines() if "old_name" in line]
    assert {(each["level"], each["old_name"], each["new_name"]) for each in told} == {
        ("warning", "VUMETER_SEAL_AT_POINTS", "VUMETER_FLUSH_AT_POINTS"),
        ("warning", "VUMETER_WRITER", "VUMETER_WRITER_ADDRESS"),
    }
    assert len(told) == 2
