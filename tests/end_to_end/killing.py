"""Products that are killed while clients of every kind record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.callers import Caller, bearer
from tests.end_to_end.conftest import connected
from tests.end_to_end.recorders import (
    Recorder,
    RestRecorder,
    RpcRecorder,
    StreamRecorder,
    size_of,
)
from tests.stack import Stack, start_stack

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
    assert found == {batch: size_of(batch) for batch in found}
