"""Products that are killed while clients of every kind record."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.end_to_end.callers import Caller, bearer
from tests.end_to_end.conftest import connected
from tests.end_to_end.processes import name_of
from tests.end_to_end.recorders import (
    Recorder,
    RestRecorder,
    RpcRecorder,
    StreamRecorder,
    size_of,
)
from tests.stack import Stack, children_of, is_running, start_stack

from vumeter_server.access.keys import NewKey

KINDS: Sequence[type[Recorder]] = (RestRecorder, RpcRecorder, StreamRecorder)
ENVIRONMENT = {"VUMETER_ACCESS_LOG": "false"}


@contextmanager
def running(directory: Path, **environment: str) -> Iterator[Stack]:
    stack = start_stack(directory, **ENVIRONMENT, **environment)
    yield stack
    stack.stop()


@contextmanager
def asking(stack: Stack, key: NewKey) -> Iterator[Caller]:
    with connected(stack) as anybody:
        yield anybody.showing(bearer(key))


def assert_whole_and_once(found: dict[str, int], clients: list[Recorder]) -> None:
    sent = {batch for client in clients for batch in client.sent}
    assert found.keys() <= sent
    assert found.keys() >= {batch for client in clients for batch in client.acknowledged}
    assert not found.keys() & {batch for client in clients for batch in client.gone}
    assert found == {batch: size_of(batch) for batch in found}


def kill_one(supervisor: int, chance: random.Random, when: str) -> Counter[str]:
    """Kill one of the processes of a product that still run; return which, empty if none does."""
    running_now = [pid for pid in processes_of(supervisor) if is_running(pid)]
    with suppress(IndexError, FileNotFoundError, ProcessLookupError):
        victim = chance.choice(running_now)
        is_envoy = name_of(victim) == "envoy"
        os.kill(victim, signal.SIGKILL)
        name = "supervisor" if victim == supervisor else "Envoy" if is_envoy else "server"
        return Counter([f"killed: {name} {when}"])
    return Counter()


def processes_of(supervisor: int) -> list[int]:
    """Return the process ids of a product: the supervisor, the servers, Envoy."""
    return [supervisor, *children_of(supervisor)]
