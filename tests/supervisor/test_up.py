"""`vumeter up`: both start, stay and end together, however that comes about."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.stack import ADMIN_TOKEN, Stack, children_of, is_running, spawn_up, start_stack
from tests.waiting import until

ENVIRONMENT = {"VUMETER_ACCESS_LOG": "false"}


def program_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def child(stack: Stack, program: str) -> int:
    (found,) = [pid for pid in stack.children() if program in program_of(pid)]
    return found


def server_status(target: str) -> int:
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status)


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


@pytest.fixture
def own_stack(tmp_path: Path) -> Stack:
    return start_stack(tmp_path, **ENVIRONMENT)


def test_ready_means_healthy_through_envoy_and_serving_on_the_grpc_port(stack: Stack) -> None:
    assert requests.get(stack.rest_url + "/healthz", timeout=10).status_code == 200
    assert server_status(stack.grpc_target) == health_pb2.HealthCheckResponse.SERVING
    assert server_status(stack.edge_target) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_both_in_order(tmp_path: Path, number: signal.Signals) -> None:
    started = start_stack(tmp_path, **ENVIRONMENT)
    children = started.children()
    assert len(children) == 2
    assert started.stop(number) == 0
    assert not any(is_running(pid) for pid in children)
    assert "Traceback" not in started.log.read_text()


def test_the_end_begins_with_not_serving_while_calls_are_still_answered(own_stack: Stack) -> None:
    with grpc.insecure_channel(own_stack.grpc_target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=30
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        ending = threading.Thread(target=own_stack.stop)
        ending.start()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert server_status(own_stack.grpc_target) == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
    ending.join()


@pytest.mark.parametrize("program", ["vumeter_server.cli serve", "envoy"])
def test_when_one_ends_the_other_is_ended_and_one_line_says_why(
    own_stack: Stack, program: str
) -> None:
    children = own_stack.children()
    os.kill(child(own_stack, program), signal.SIGKILL)
    assert own_stack.wait() == 1
    assert not any(is_running(pid) for pid in children)
    reason = own_stack.log.read_text().splitlines()[-1]
    assert re.fullmatch(r"vumeter: (the server|Envoy) ended with signal SIGKILL", reason)


def test_nothing_is_left_when_up_is_killed(own_stack: Stack) -> None:
    children = own_stack.children()
    assert len(children) == 2
    own_stack.process.kill()
    own_stack.wait()
    until(lambda: not any(is_running(pid) for pid in children))


def test_nothing_is_left_when_up_is_killed_while_it_starts(tmp_path: Path) -> None:
    process, _ = spawn_up(tmp_path, **ENVIRONMENT)
    until(lambda: bool(children_of(process.pid)))
    children = children_of(process.pid)
    process.kill()
    process.wait()
    until(lambda: not any(is_running(pid) for pid in children))


def test_a_server_that_is_killed_while_envoy_starts_ends_the_start_at_once(tmp_path: Path) -> None:
    process, log = spawn_up(tmp_path, **ENVIRONMENT)
    until(lambda: bool(children_of(process.pid)))
    (server,) = children_of(process.pid)
    # Envoy is started once the server answers, and is ready a little later.
    until(lambda: len(children_of(process.pid)) == 2, every_seconds=0.001)
    os.kill(server, signal.SIGKILL)
    # By far not as long as Envoy may take.
    assert process.wait(timeout=15) == 1
    assert log.read_text().splitlines()[-1] == "vumeter: the server ended with signal SIGKILL"


def test_a_server_that_is_killed_before_it_answers_is_one_line(tmp_path: Path) -> None:
    process, log = spawn_up(tmp_path, **ENVIRONMENT)
    until(lambda: bool(children_of(process.pid)), every_seconds=0.001)
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    assert process.wait(timeout=15) == 1
    assert one_line(log.read_text()) == "vumeter: the server ended with signal SIGKILL"


@pytest.mark.parametrize("flag", ["--rest-port", "--grpc-port"])
def test_a_taken_port_is_one_line_and_status_2(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, error = failing(tmp_path, flag, str(port))
    assert status == 2
    assert f"127.0.0.1:{port}" in one_line(error)


def test_a_taken_admin_port_is_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, error = failing(tmp_path, VUMETER_ENVOY_ADMIN_PORT=str(port))
    assert status == 2
    assert f"Envoy (admin) cannot listen on 127.0.0.1:{port}" in one_line(error)


def test_one_port_for_both_is_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    status, error = failing(tmp_path, "--rest-port", port, "--grpc-port", port)
    assert status == 2
    assert f"127.0.0.1:{port}" in [line for line in error.splitlines() if "{" not in line][-1]


def test_the_port_of_another_product_is_taken(tmp_path: Path, stack: Stack) -> None:
    for flag, target in (("--rest-port", stack.edge_target), ("--grpc-port", stack.grpc_target)):
        status, error = failing(tmp_path, flag, target.rpartition(":")[2])
        assert status == 2
        assert target in one_line(error)


@pytest.mark.parametrize(
    ("arguments", "environment", "reason"),
    [
        ([], {"VUMETER_ADMIN_TOKEN": ""}, "VUMETER_ADMIN_TOKEN"),
        ([], {"VUMETER_ADMIN_TOKEN": "short-secret"}, "VUMETER_ADMIN_TOKEN"),
        (["--host", "nowhere.invalid"], {}, "nowhere.invalid"),
        (["--host", "192.0.2.1"], {}, "192.0.2.1"),
        ([], {"VUMETER_CORS_ORIGINS": "*"}, "VUMETER_CORS_ORIGINS"),
        ([], {"VUMETER_REST_PORT": "many"}, "VUMETER_REST_PORT"),
        (["--grpc-port", "65536"], {}, "--grpc-port"),
        (["--no-such-option"], {}, "--no-such-option"),
    ],
)
def test_what_cannot_work_is_one_line_and_status_2(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], reason: str
) -> None:
    if "VUMETER_REST_PORT" in environment:
        command = ["up", "--db", str(tmp_path / "vumeter.db"), "--grpc-port", "0"]
        result = run_command(*command, **environment)
        status, error = result.returncode, result.stderr
    else:
        status, error = failing(tmp_path, *arguments, **environment)
    assert status == 2
    assert reason in one_line(error)
    assert "short-secret" not in error


def test_a_database_that_cannot_be_opened_is_one_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "vumeter.db").write_text("not a database, but long enough to look like none\n" * 20)
    status, error = failing(tmp_path)
    assert status == 2
    assert "vumeter.db" in one_line(error)


def failing(directory: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    process, log = spawn_up(directory, *arguments, **{**ENVIRONMENT, **environment})
    status = process.wait(timeout=60)
    return status, log.read_text()


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vumeter_server.cli", *arguments],
        env={**os.environ, "VUMETER_ADMIN_TOKEN": ADMIN_TOKEN, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
