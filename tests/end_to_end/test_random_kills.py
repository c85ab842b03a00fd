"""`kill -9` of any process of the product at any moment, again and again.

`make test` kills twice. `make test-kills KILLS=1000` kills as often as it says.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Final

import pytest
from tests.commands.command import vumeter
from tests.end_to_end.callers import Caller
from tests.end_to_end.killing import KINDS, asking, assert_whole_and_once, running
from tests.end_to_end.recorders import Recorder, stored
from tests.stack import Stack, is_running
from tests.waiting import until

from vumeter_server.access.keys import NewKey

KILLS: Final = int(os.environ.get("TEST_KILLS") or 2)
# A database is as large as one test makes it.
KILLS_OF_A_DATABASE: Final = 10
# A seal is followed at once by the next one, or by compaction.
SEALING: Final = {"VUMETER_FLUSH_AT_POINTS": "500"}
pytestmark = pytest.mark.timeout(120 + 60 * KILLS)


@pytest.mark.parametrize("first", range(0, KILLS, KILLS_OF_A_DATABASE))
def test_whatever_is_killed_nothing_acknowledged_is_lost_or_doubled(
    first: int, tmp_path: Path
) -> None:
    chance = random.Random(first)
    clients: list[Recorder] = []
    key: NewKey | None = None
    for kill in range(first, min(first + KILLS_OF_A_DATABASE, KILLS)):
        workers = {"VUMETER_WORKERS": str(chance.choice((1, 1, 2)))}
        with running(tmp_path, **SEALING, **workers) as stack:
            key = key or stack.make_key()
            with asking(stack, key) as caller:
                clients += record_until_killed(stack, caller, f"kill{kill}", chance)
    with running(tmp_path, **SEALING) as stack:
        assert key is not None
        with asking(stack, key) as caller:
            assert_whole_and_once(stored(caller), clients)
    assert vumeter("db", "check", db=tmp_path / "vumeter.db") == "no problem found\n"


def record_until_killed(
    stack: Stack, caller: Caller, run: str, chance: random.Random
) -> list[Recorder]:
    """Record with clients of every kind, kill a process at some moment; return the clients."""
    clients = [kind(f"{run}-{kind.__name__}", caller) for kind in KINDS]
    for client in clients:
        client.start()
    until(lambda: all(client.acknowledged for client in clients))
    time.sleep(chance.random())
    processes = [stack.process.pid, *stack.children()]
    os.kill(chance.choice(processes), signal.SIGKILL)
    stack.wait()
    # What has lost its supervisor ends by itself.
    until(lambda: not any(is_running(pid) for pid in processes))
    for client in clients:
        client.join()
    return clients
