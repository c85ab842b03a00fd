"""`kill -9` of any process of the product at any moment, again and again, while all is recorded.

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
from tests.end_to_end.other_recorders import (
    CallsRecorder,
    ColumnsRecorder,
    DeletingRecorder,
    EventsRecorder,
    EventStreamRecorder,
    OtlpRecorder,
    active_calls,
    assert_counted,
    calls_of,
)
from tests.end_to_end.recorders import Recorder, stored
from tests.stack import Stack, is_running
from tests.waiting import until

from vumeter_server.access.keys import NewKey

KILLS: Final = int(os.environ.get("TEST_KILLS") or 2)
ALL_KINDS: Final[tuple[type[Recorder], ...]] = (
    *KINDS,
    ColumnsRecorder,
    OtlpRecorder,
    DeletingRecorder,
    EventsRecorder,
    EventStreamRecorder,
    CallsRecorder,
)
OF_EVENTS: Final = (EventsRecorder, EventStreamRecorder)
# A database is as large as one test makes it.
KILLS_OF_A_DATABASE: Final = 10
# A flush is followed at once by the next one, or by compaction.
SEALING: Final = {"VUMETER_FLUSH_AT_POINTS": "500"}
pytestmark = pytest.mark.timeout(300 + 60 * KILLS)


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
                everywhere = with_admin_token(caller, stack)
                clients += record_until_killed(stack, everywhere, f"kill{kill}", chance)
    with running(tmp_path, **SEALING) as stack:
        assert key is not None
        with asking(stack, key) as caller:
            assert_all_is_there(with_admin_token(caller, stack), clients)
    count = sum(len(client.acknowledged) for client in clients)
    print(f"{KILLS_OF_A_DATABASE} kills, {count} batches acknowledged")  # noqa: T201 - the figures
    assert vumeter("db", "check", db=tmp_path / "vumeter.db") == "no problem found\n"


def with_admin_token(caller: Caller, stack: Stack) -> Caller:
    return caller.showing({**caller.credentials, "x-admin-token": stack.admin_token})


def assert_all_is_there(caller: Caller, clients: list[Recorder]) -> None:
    """Nothing that was acknowledged is lost, nothing is there twice or by half."""
    found = stored(caller)
    counted = [each for each in clients if isinstance(each, (*OF_EVENTS, CallsRecorder))]
    deleting = [each for each in clients if isinstance(each, DeletingRecorder)]
    for each in deleting:
        each.assert_deleted(found)
    of_deleting = {batch for each in deleting for batch in each.sent}
    assert_whole_and_once(
        {batch: size for batch, size in found.items() if batch not in of_deleting},
        [each for each in clients if each not in counted and each not in deleting],
    )
    assert_counted(active_calls(caller), [each for each in counted if isinstance(each, OF_EVENTS)])
    of_calls = [each for each in counted if isinstance(each, CallsRecorder)]
    calls = {batch: calls_of(caller, batch) for each in of_calls for batch in each.sent}
    assert_counted(calls, of_calls)


def record_until_killed(
    stack: Stack, caller: Caller, run: str, chance: random.Random
) -> list[Recorder]:
    """Record with clients of every kind, kill a process at some moment; return the clients."""
    clients = [kind(f"{run}-{kind.__name__}", caller) for kind in ALL_KINDS]
    for client in clients:
        client.start()
    until(lambda: all(client.acknowledged for client in clients), seconds=120)
    time.sleep(chance.random())
    processes = [stack.process.pid, *stack.children()]
    os.kill(chance.choice(processes), signal.SIGKILL)
    stack.wait()
    # What has lost its supervisor ends by itself.
    until(lambda: not any(is_running(pid) for pid in processes))
    for client in clients:
        client.join()
    return clients
