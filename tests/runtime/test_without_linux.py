"""The whole product without what only Linux has, as far as that can be taken away on Linux."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.commands.command import vumeter
from tests.stack import ADMIN_TOKEN, Stack, is_running, start_stack
from tests.waiting import until

SHIM = Path(__file__).parent / "without_linux"
PYTHONPATH = os.pathsep.join(filter(None, (str(SHIM), os.environ.get("PYTHONPATH", ""))))
PROBE = """
import ctypes, os, select, signal, socket
assert not hasattr(ctypes.CDLL(None), "prctl") and not hasattr(select, "epoll")
assert not hasattr(os, "sched_getaffinity") and not hasattr(signal, "SIGPWR")
assert not hasattr(socket, "MSG_NOSIGNAL")
open("/proc/self/stat")
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("without_linux")
    stack = start_stack(directory, "--demo", "--workers", "2", PYTHONPATH=PYTHONPATH)
    yield stack
    stack.stop()


def test_the_calls_are_gone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FileNotFoundError" in done.stderr, done.stderr


def test_every_family_records_and_answers(product: Stack) -> None:
    key = product.make_key("elsewhere")
    bearer = {"Authorization": f"Bearer {key.bearer}"}
    paths = f"{product.rest_url}/v1/custom-metrics"
    points = [{"name": "booking_attempt", "timestamp": "2025-04-01T10:00:00Z"}] * 3
    recorded = requests.post(paths, json={"points": points}, headers=bearer, timeout=20)
    assert recorded.json() == {"data": {"recorded": 3}}
    asked = {"startDate": "2025-04-01", "endDate": "2025-04-02"}
    answer = requests.get(f"{paths}/aggregate", params=asked, headers=bearer, timeout=20)
    assert answer.json() == {"data": {"booking_attempt": 3}}
    live = f"{product.rest_url}/api/v1/metrics/live"
    admin = {"X-Admin-Token": ADMIN_TOKEN}
    until(lambda: requests.get(live, headers=admin, timeout=20).json()["accepted_calls"] > 0)
    runs = f"{product.rest_url}/sdk/api/v1/simulation/run-tests"
    pair = {"X-Api-Key": key.key_id, "X-Secret-Key": key.secret}
    assert requests.get(runs, headers=pair, timeout=20).ok
    assert requests.get(f"{product.rest_url}/ui/", timeout=20).ok


def test_commands_work_beside_it(product: Stack) -> None:
    printed = vumeter("db", "check", db=product.db_path, PYTHONPATH=PYTHONPATH)
    assert printed == "no problem found\n"
    assert "elsewhere" in vumeter("keys", "list", db=product.db_path, PYTHONPATH=PYTHONPATH)


def test_it_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    stack = start_stack(tmp_path, PYTHONPATH=PYTHONPATH)
    children = stack.children()
    assert len(children) == 2
    assert stack.stop(signal.SIGTERM) == 0
    assert not any(is_running(child) for child in children)


WATCHED = """
import ctypes, subprocess, sys, time
from vumeter_server.runtime.parent_death import ending_with_parent
hidden = "import ctypes, runpy, sys; ctypes.CDLL = lambda name: object();"
run = hidden + "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
executable, isolated, bare, program, *rest = ending_with_parent(["/bin/sleep", "60"])
child = subprocess.Popen([executable, "-c", run, program, *rest], start_new_session=True)
print(child.pid, flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["time.sleep(60)", "time.sleep(2); child.terminate()"])
def test_without_prctl_a_child_is_watched_and_ends_with_its_parent(then: str) -> None:
    command = [sys.executable, "-c", WATCHED.format(then=then)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(lambda: _program_of(child) == "sleep")
        watchers = _children_of(child)
        assert len(watchers) == 1
        if then.endswith("(60)"):
            parent.kill()
    until(lambda: not is_running(child))
    until(lambda: not is_running(watchers[0]))


def _program_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
