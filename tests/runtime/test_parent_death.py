"""A child ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.stack import is_running
from tests.waiting import until

from vumeter_server.runtime.parent_death import ending_with_parent

PARENT = """
import subprocess, sys, time
from vumeter_server.runtime.parent_death import ending_with_parent
child = subprocess.Popen(ending_with_parent(["/bin/sleep", "60"]), start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_in_a_session_of_its_own_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    until(lambda: not is_running(child))


def test_a_child_whose_parent_is_gone_already_does_not_start() -> None:
    command = ending_with_parent(["/bin/sleep", "60"])
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, timeout=10, check=False).returncode == 1


def test_a_child_is_the_program_itself_and_gets_its_signals() -> None:
    with subprocess.Popen(ending_with_parent(["/bin/sleep", "60"])) as child:
        child.send_signal(signal.SIGTERM)
    assert child.returncode == -signal.SIGTERM
