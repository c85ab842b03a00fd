"""No file descriptor is left: who is connected is answered, newcomers are later."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Callable, Iterator

import pytest
import requests
from tests.end_to_end.callers import Caller
from tests.end_to_end.killing import asking, running
from tests.end_to_end.processes import descriptors, envoy_of, server_of
from tests.end_to_end.recorders import RECORD, TEN_YEARS
from tests.stack import Stack
from tests.waiting import until

PATH = "/v1/custom-metrics"
POINT = {"points": [{"name": "turns"}]}
LEFT = 6
NEWCOMERS = 50


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("own")) as stack:
        yield stack


@contextlib.contextmanager
def nothing_left(pid: int, target: str) -> Iterator[None]:
    """Leave a process a few descriptors, and take them with connections."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = descriptors(pid) + LEFT
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    host, _, port = target.rpartition(":")
    with contextlib.ExitStack() as opened:
        for _ in range(NEWCOMERS):
            opened.enter_context(socket.create_connection((host, int(port)), timeout=30))
        until(lambda: descriptors(pid) >= limit)
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def is_answered(caller: Caller, total: int) -> None:
    """Record over both ports and query, on connections that are there already."""
    assert caller.post(PATH, POINT).status == 200
    assert caller.rpc(RECORD, POINT).code == 0
    assert caller.get(PATH + "/aggregate", **TEN_YEARS).body == {"data": {"turns": total}}


@pytest.mark.parametrize(
    ("process", "target"),
    [(server_of, lambda stack: stack.grpc_target), (envoy_of, lambda stack: stack.edge_target)],
    ids=["server", "Envoy"],
)
def test_without_a_descriptor_who_is_connected_is_answered_and_newcomers_are_later(
    own: Stack, process: Callable[[Stack], int], target: Callable[[Stack], str]
) -> None:
    pid, key = process(own), own.make_key(f"clinic {process.__name__}")
    with asking(own, key) as caller:
        is_answered(caller, 2)
        with nothing_left(pid, target(own)):
            is_answered(caller, 4)
        is_answered(caller, 6)
    # On connections of their own.
    with asking(own, key) as newcomer:
        is_answered(newcomer, 8)
    assert requests.get(own.rest_url + "/healthz", timeout=20).status_code == 200
    assert "Traceback" not in own.log.read_text()
    # It does not fill the log with what happens at every try.
    assert len(own.log.read_bytes()) < 200_000
