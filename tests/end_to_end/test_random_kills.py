"""`kill -9` of any process of the product at any moment, again and again, while all is recorded.

`make test` kills twice. `make test-kills KILLS=1000` kills as often as it says, and more: some
products are killed before while they start, most of those that would end in order are killed again.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from tests.commands.command import vumeter
from tests.end_to_end.callers import Caller
from tests.end_to_end.killing import (
    ENVIRONMENT,
    KINDS,
    asking,
    kill_one,
    processes_of,
    running,
)
from tests.end_to_end.other_recorders import (
    CallsRecorder,
    ColumnsRecorder,
    DeletingRecorder,
    EventsRecorder,
    EventStreamRecorder,
    OtlpRecorder,
)
from tests.end_to_end.recorders import Recorder, RpcRecorder, RpcRecorderAtStops
from tests.end_to_end.verdict import Verdict, found_by, judge
from tests.stack import Stack, is_running, spawn_up
from tests.waiting import until

from vumeter_server.access.keys import NewKey

KILLS: Final = int(os.environ.get("TEST_KILLS") or 2)
ALL_KINDS: Final[tuple[type[Recorder], ...]] = (
    *(RpcRecorderAtStops if kind is RpcRecorder else kind for kind in KINDS),
    ColumnsRecorder,
    OtlpRecorder,
    DeletingRecorder,
    EventsRecorder,
    EventStreamRecorder,
    CallsRecorder,
)
# A database is as large as one test makes it.
KILLS_OF_A_DATABASE: Final = 20
# A flush is followed at once by the next one, or by compaction.
SEALING: Final = {"VUMETER_FLUSH_AT_POINTS": "500"}
KILLED_WHILE_STARTING: Final = 0.2
STARTS_WITHIN_SECONDS: Final = 1.5
# Servers take 1.5 seconds until proxies have noticed, and up to 10 more for streams to end.
ENDS_IN_ORDER: Final = 0.05
KILLED_AGAIN_WITHIN_SECONDS: Final = 2.5
pytestmark = pytest.mark.timeout(300 + 60 * KILLS_OF_A_DATABASE)


@pytest.mark.parametrize("first", range(0, KILLS, KILLS_OF_A_DATABASE))
def test_whatever_is_killed_nothing_acknowledged_is_lost_or_doubled(
    first: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(first)
    clients: list[Recorder] = []
    killed: Counter[str] = Counter()
    key: NewKey | None = None
    for kill in range(first, min(first + KILLS_OF_A_DATABASE, KILLS)):
        environment = {**SEALING, "VUMETER_WORKERS": str(chance.choice((1, 1, 2)))}
        if chance.random() < KILLED_WHILE_STARTING:
            killed += kill_while_starting(tmp_path, environment, chance)
        with running(tmp_path, **environment) as stack:
            key = key or stack.make_key()
            with asking(stack, key) as caller:
                everywhere = with_admin_token(caller, stack)
                clients += record(everywhere, f"kill{kill}")
                killed += kill_until_ended(stack, chance)
                for client in clients:
                    client.join()
    with running(tmp_path, **SEALING) as stack:
        assert key is not None
        with asking(stack, key) as caller:
            verdict = judge(found_by(with_admin_token(caller, stack), clients), clients)
    figures = {
        **killed,
        "batches acknowledged": sum(len(client.acknowledged) for client in clients),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "partial": len(verdict.partial),
    }
    record_property("figures", figures)
    assert verdict == Verdict()
    assert vumeter("db", "check", db=tmp_path / "vumeter.db") == "no problem found\n"


def with_admin_token(caller: Caller, stack: Stack) -> Caller:
    return caller.showing({**caller.credentials, "x-admin-token": stack.admin_token})


def kill_while_starting(
    directory: Path, environment: dict[str, str], chance: random.Random
) -> Counter[str]:
    """Start a product and kill one of its processes before it is ready, or just after."""
    process, _ = spawn_up(directory, **ENVIRONMENT, **environment)
    # The moment of a kill is any.
    time.sleep(chance.uniform(0, STARTS_WITHIN_SECONDS))
    processes = processes_of(process.pid)
    killed = kill_one(process.pid, chance, "while starting")
    process.wait(timeout=40)
    until(lambda: not any(is_running(pid) for pid in processes))
    return killed


def record(caller: Caller, run: str) -> list[Recorder]:
    """Start clients of every kind; return them once each has recorded something."""
    clients = [kind(f"{run}-{kind.__name__}", caller) for kind in ALL_KINDS]
    for client in clients:
        client.start()
    until(lambda: all(client.acknowledged for client in clients), seconds=120)
    return clients


def kill_until_ended(stack: Stack, chance: random.Random) -> Counter[str]:
    """Kill a process at some moment, mostly another one later; return which when all have ended."""
    time.sleep(chance.random())
    processes = processes_of(stack.process.pid)
    killed = kill_one(stack.process.pid, chance, "while recording")
    assert killed, "the product ended by itself"
    if chance.random() >= ENDS_IN_ORDER:
        with suppress(subprocess.TimeoutExpired):
            stack.process.wait(chance.uniform(0, KILLED_AGAIN_WITHIN_SECONDS))
        if stack.process.poll() is None:
            killed += kill_one(stack.process.pid, chance, "while ending")
    stack.wait()
    # What has lost its supervisor ends by itself.
    until(lambda: not any(is_running(pid) for pid in processes))
    return killed
