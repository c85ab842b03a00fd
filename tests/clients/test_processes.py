"""The end of processes: `kill -9` of the server, a server that stands still, agents that exit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.agents import CLIENT, outcome, run_agent
from tests.clients.conftest import Organization, new_organization
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_client import Recorder


def server_of(stack: Stack) -> int:
    (server,) = [
        pid
        for pid in stack.children()
        if b"vumeter_server.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return server


def test_after_kill_9_of_the_server_every_point_is_there_once(tmp_path: Path) -> None:
    stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false")
    organization = new_organization(stack)
    port = stack.edge_target.rpartition(":")[2]
    numbers = iter(range(1_000_000))
    with Recorder(organization.url, organization.bearer, interval=0.01) as recorder:
        for _ in range(2):
            sent = recorder.stats.sent
            while recorder.stats.sent < sent + 3_000:
                # Far from a full buffer, however slow the server is: none may be dropped here.
                until(lambda: recorder.stats.pending < 20_000)
                recorder.count("turns", tags={"batch": str(next(numbers) // 100)})
            os.kill(server_of(stack), signal.SIGKILL)
            stack.wait()
            for _ in range(1_000):
                recorder.count("turns", tags={"batch": str(next(numbers) // 100)})
            stack = start_stack(tmp_path, "--rest-port", port, VUMETER_ACCESS_LOG="false")
        assert recorder.flush(60)
        recorded = next(numbers)
        assert outcome(recorder) == (recorded, recorded, 0, 0, 0)
        assert recorder.stats.last_failure is not None
    rows = organization.totals(groupBy="batch")
    stack.stop()
    assert sum(row["metrics"]["turns"] for row in rows) == recorded
    assert {row["metrics"]["turns"] for row in rows if row["batch"] != str(recorded // 100)} == {
        100
    }


def test_a_server_that_stands_still_gets_each_point_once(tmp_path: Path) -> None:
    stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false")
    organization = new_organization(stack)
    server = server_of(stack)
    with Recorder(organization.url, organization.bearer, interval=0.01, timeout=0.5) as recorder:
        recorder.count("turns")
        assert recorder.flush(30)
        os.kill(server, signal.SIGSTOP)
        try:
            for _ in range(500):
                recorder.count("turns")
            until(lambda: recorder.stats.last_failure == "no answer in time")
        finally:
            os.kill(server, signal.SIGCONT)
        assert recorder.flush(60)
        assert outcome(recorder) == (501, 501, 0, 0, 0)
    assert organization.totals() == {"turns": 501}
    stack.stop()


AT_EXIT = {
    "the end of the program": "recorder.count('turns', 3)",
    "sys.exit": "recorder.count('turns', 3); sys.exit(0)",
    "nobody holds the recorder": "recorder.count('turns', 3); del recorder",
    "closed before": "recorder.count('turns', 3); recorder.close()",
    "another handler records": (
        "atexit.register(lambda: recorder.count('turns', 2)); recorder.count('turns')"
    ),
    # No thread can be started any more when this is recorded.
    "only another handler records": "atexit.register(lambda: recorder.count('turns', 3))",
}


@pytest.mark.parametrize("ending", AT_EXIT.values(), ids=AT_EXIT)
def test_what_waits_is_sent_when_the_process_exits(
    ending: str, organization: Organization, tmp_path: Path
) -> None:
    program = tmp_path / "agent.py"
    program.write_text(f"""
import atexit, sys
import vumeter_client
recorder = vumeter_client.Recorder(interval=3600)
{ending}
""")
    assert run_agent(program, organization) == ""
    assert organization.totals() == {"turns": 3}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_waits_is_sent_when_a_child_of_multiprocessing_ends(
    method: str, organization: Organization, tmp_path: Path
) -> None:
    program = tmp_path / "agent.py"
    program.write_text(f"""
import multiprocessing
import vumeter_client

recorder = vumeter_client.Recorder(interval=3600)

def work(number):
    recorder.count("turns", tags={{"process": str(number)}})

if __name__ == "__main__":
    recorder.count("turns", tags={{"process": "parent"}})
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=[number]) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
""")
    assert run_agent(program, organization) == ""
    rows = organization.totals(groupBy="process")
    assert {row["process"]: row["metrics"]["turns"] for row in rows} == {
        "parent": 1,
        "0": 1,
        "1": 1,
        "2": 1,
    }


def test_an_exit_does_not_wait_for_a_server_that_is_not_there() -> None:
    program = """
import vumeter_client
recorder = vumeter_client.Recorder("http://127.0.0.1:1", "a.b")
recorder.count("turns")
assert not recorder.close(0.2)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "sending failed, and is tried again" in done.stderr
