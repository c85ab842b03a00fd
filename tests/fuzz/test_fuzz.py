"""Requests that nobody would send, on every path and method: no fault, no leak, nothing grows.

`make test` sends some thousands. `make test-fuzz REQUESTS=1000000` sends as many as it says.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.commands.command import vumeter
from tests.end_to_end.api import METHODS
from tests.end_to_end.conftest import connected, with_key
from tests.end_to_end.killing import running
from tests.end_to_end.processes import envoy_of, resident_mb, server_of
from tests.fuzz.growth import Taken, growth, taken
from tests.fuzz.making import Maker, RestRequest, RpcRequest
from tests.fuzz.sending import Judge, faults_in
from tests.stack import Stack
from tests.waiting import until

REQUESTS: Final = int(os.environ.get("TEST_FUZZ") or 3_000)
CLIENTS: Final = 8
# All clients wait for the slowest one before they take the next seed; there are some seeds, so that
# what the product takes is looked at near the half.
REQUESTS_OF_A_SEED: Final = max(50, min(1_000, REQUESTS // (20 * CLIENTS)))
# Of those who record anything there is: caches fill up to their limits.
SERVER_AT_MOST_MB: Final = 600
ENVOY_AT_MOST_MB: Final = 300
pytestmark = pytest.mark.timeout(300 + REQUESTS // 20)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product of its own, whose log and memory are looked at."""
    with running(
        # Each refusal is a line, and there would be a million.
        tmp_path_factory.mktemp("own"),
        VUMETER_LOG_LEVEL="warning",
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def judges(own: Stack) -> Iterator[list[Judge]]:
    with connected(own) as anybody:
        caller = with_key(anybody, "Clinic")
        made = [Judge(caller) for _ in range(CLIENTS)]
        yield made
        for judge in made:
            judge.close()


def test_every_method_is_asked() -> None:
    maker = Maker(0)
    asked = set()
    paths = set()
    for _ in range(6_000):
        request = maker.request()
        if isinstance(request, RpcRequest):
            asked.add(request.method.name)
        elif isinstance(request, RestRequest):
            paths.add(request.target.partition("?")[0])
    assert asked == {method.name for method in METHODS}
    for method in METHODS:
        if method.is_rest:
            assert any(method.path_pattern.fullmatch(path) for path in paths), method.path


def test_no_request_makes_a_fault_or_a_leak_and_nothing_grows(
    own: Stack, judges: list[Judge]
) -> None:
    pids = (server_of(own), envoy_of(own))
    half: list[Taken] = []

    def answers() -> Counter[str]:
        return sum((judge.answers for judge in judges), Counter[str]())

    def send(judge: Judge, seed: int) -> None:
        maker = Maker(seed)
        sent = 0
        while sent < REQUESTS_OF_A_SEED:
            sent += judge.send(maker.request())

    @settings(
        # At least so many are sent.
        max_examples=-(-REQUESTS // (REQUESTS_OF_A_SEED * CLIENTS)),
        derandomize=REQUESTS <= 3_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**64 - 1))
    def send_from_all(seed: int) -> None:
        sending = [
            clients.submit(send, judge, seed + number) for number, judge in enumerate(judges)
        ]
        wait(sending)
        for each in sending:
            each.result()
        if not half and answers().total() >= REQUESTS / 2:
            half.append(taken(own, answers().total()))

    with ThreadPoolExecutor(CLIENTS) as clients:
        send_from_all()
    found = answers()
    assert found.total() >= REQUESTS
    assert 0.4 < half[0].requests / found.total() < 0.7
    end = taken(own, found.total())
    print(dict(found), *half, end)  # noqa: T201 - the figures of a long run
    assert found["200"] > REQUESTS * 0.05
    assert found["OK"] > REQUESTS * 0.02
    assert (server_of(own), envoy_of(own)) == pids
    assert faults_in(own.log.read_text()) == []
    assert "Traceback" not in own.log.read_text()
    for pid, at_most in zip(pids, (SERVER_AT_MOST_MB, ENVOY_AT_MOST_MB), strict=True):
        assert resident_mb(pid) < at_most
    # What is only still being given back goes away.
    with contextlib.suppress(AssertionError):
        until(lambda: not growth(half[0], taken(own, found.total())))
    assert growth(half[0], taken(own, found.total())) == []
    assert vumeter("db", "check", db=Path(own.db_path)) == "no problem found\n"
