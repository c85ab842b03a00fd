"""`kill -9` of any process of the product at any moment, again and again, while all is recorded.

`make test` kills twice. `make test-kills KILLS=1000` kills as often as it says, and more: some
products are killed before while they start, most of those that would end in order are killed again.
Each product is first sent again what the one before did not acknowledge, and some of what it did.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

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
)
from tests.end_to_end.otlp_recorders import (
    CumulativeRecorder,
    CumulativeRpcRecorder,
    OtlpProtobufRecorder,
    OtlpRecorder,
    OtlpRpcRecorder,
)
from tests.end_to_end.recorders import Recorder, RpcRecorder, RpcRecorderAtStops
from tests.end_to_end.typed_recorders import (
    CallsRpcRecorder,
    CallStreamRecorder,
    ColumnsRpcRecorder,
    EventsRpcRecorder,
)
from tests.end_to_end.verdict import Verdict, found_by, judge
from tests.stack import Stack, is_running, spawn_up
from tests.waiting import until

from vumeter_server.access.keys import NewKey

KILLS: Final = int(os.environ.get("TEST_KILLS") or 2)
ALL_KINDS: Final[tuple[type[Recorder], ...]] = (
    *(RpcRecorderAtStops if kind is RpcRecorder else kind for kind in KINDS),
    ColumnsRecorder,
    ColumnsRpcRecorder,
    OtlpRecorder,
    OtlpProtobufRecorder,
    OtlpRpcRecorder,
    CumulativeRecorder,
    CumulativeRpcRecorder,
    DeletingRecorder,
    EventsRecorder,
    EventsRpcRecorder,
    EventStreamRecorder,
    CallsRecorder,
    CallsRpcRecorder,
    CallStreamRecorder,
)
# Before there is a product.
NOBODY: Any = None
# A database is as large as one test makes it.
KILLS_OF_A_DATABASE: Final = 20
# A flush is followed at once by the next one, or by compaction.
SEALING: Final = {"VUMETER_FLUSH_AT_POINTS": "500"}
KILLED_WHILE_STARTING: Final = 0.2
KILLED_WHILE_REPEATING: Final = 0.2
# Of each client, beside all that were not.
ACKNOWLEDGED_AGAIN: Final = 2
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
    clients = [kind(kind.__name__, NOBODY) for kind in ALL_KINDS]
    figures: Counter[str] = Counter()
    verdict = Verdict()
    key: NewKey | None = None
    for kill in range(first, min(first + KILLS_OF_A_DATABASE, KILLS)):
        environment = {**SEALING, "VUMETER_WORKERS": str(chance.choice((1, 1, 2)))}
        if chance.random() < KILLED_WHILE_STARTING:
            figures += kill_while_starting(tmp_path, environment, chance)
        with running(tmp_path, **environment) as stack:
            key = key or stack.make_key()
            with asking(stack, key) as caller:
                everywhere = with_admin_token(caller, stack)
                verdict = verdict.or_else(judge(found_by(everywhere, clients), clients))
                figures += go_on(clients, everywhere, chance)
                if kill == first or chance.random() >= KILLED_WHILE_REPEATING:
                    until(lambda: have_gone_on(clients), seconds=120)
                figures += kill_until_ended(stack, chance)
                for client in clients:
                    client.join()
    with running(tmp_path, **SEALING) as stack:
        assert key is not None
        with asking(stack, key) as caller:
            everywhere = with_admin_token(caller, stack)
            verdict = verdict.or_else(judge(found_by(everywhere, clients), clients))
            figures += go_on(clients, everywhere, chance, repeats_only=True)
            for client in clients:
                client.join()
            # Now each batch was acknowledged, and some of them twice.
            not_taken = [batch for client in clients for batch in client.unacknowledged]
            verdict = verdict.or_else(judge(found_by(everywhere, clients), clients))
    figures["batches acknowledged"] = sum(len(client.acknowledged) for client in clients)
    for fault in fields(verdict):
        figures[fault.name.replace("_", " ")] = len(getattr(verdict, fault.name))
    record_property("figures", dict(figures))
    assert verdict == Verdict()
    assert not_taken == []
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


def go_on(
    clients: list[Recorder], caller: Caller, chance: random.Random, *, repeats_only: bool = False
) -> Counter[str]:
    """Start all clients with this product; return what they send again."""
    figures: Counter[str] = Counter()
    for client in clients:
        count = min(ACKNOWLEDGED_AGAIN, len(client.acknowledged))
        again = chance.sample(client.acknowledged, count)
        figures["batches repeated that were not acknowledged"] += len(client.unacknowledged)
        figures["batches repeated that were acknowledged"] += len(again)
        client.go_on(caller, again, repeats_only=repeats_only)
    return figures


def have_gone_on(clients: list[Recorder]) -> bool:
    return all(client.has_gone_on for client in clients)


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
