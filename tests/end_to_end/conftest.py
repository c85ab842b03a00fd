"""Callers of the product that all tests share: through Envoy, over native gRPC, with any role."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc
import pytest
import requests
from tests.end_to_end.callers import Caller, bearer
from tests.stack import Stack

from vumeter_server.access.roles import Role

# What it asserts is shown as a test's own assertions are.
pytest.register_assert_rewrite("tests.end_to_end.examples")

_numbers = count(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests counted (`record_property("figures", ...)`), added up."""
    reports = [
        each
        for outcome in ("passed", "failed")
        for each in terminalreporter.stats.get(outcome, [])
        if "figures" in dict(each.user_properties)
    ]
    figures: Counter[str] = Counter()
    for each in reports:
        figures.update(dict(each.user_properties)["figures"])
    if reports:
        figures["seconds of all processes"] = round(sum(each.duration for each in reports))
        terminalreporter.section("figures")
    for what, number in sorted(figures.items()):
        terminalreporter.write_line(f"{number:>9,} {what}")


def new_name() -> str:
    """Return the name of an organization that nobody has used."""
    return f"Clinic {next(_numbers)}"


@contextlib.contextmanager
def connected(stack: Stack) -> Iterator[Caller]:
    """Give a caller without a credential, connected to Envoy and to the server's own port."""
    with grpc.insecure_channel(stack.grpc_target) as channel, requests.Session() as session:
        yield Caller(stack=stack, channel=channel, session=session)


def with_key(anybody: Caller, organization: str, role: Role = Role.OWNER, **options: Any) -> Caller:
    """Return the caller with a new key of an organization, and the admin token."""
    key = anybody.stack.make_key(organization, role, **options)
    return anybody.showing({**bearer(key), "x-admin-token": anybody.stack.admin_token})


@dataclass(frozen=True, kw_only=True, slots=True)
class IdleChannel:
    """A channel without a call, and the states it was in since it was ready."""

    since: float
    states: list[grpc.ChannelConnectivity]


@pytest.fixture(scope="session", autouse=True)
def idle_channel(stack: Stack) -> Iterator[IdleChannel]:
    """A connection on which only pings go, for as long as the tests run."""
    options = [
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    ready = grpc.ChannelConnectivity.READY
    states: list[grpc.ChannelConnectivity] = []

    def note(state: grpc.ChannelConnectivity) -> None:
        if states or state is ready:
            states.append(state)

    with grpc.insecure_channel(stack.grpc_target, options=options) as channel:
        channel.subscribe(note, try_to_connect=True)
        grpc.channel_ready_future(channel).result(timeout=30)
        yield IdleChannel(since=time.monotonic(), states=states)
        channel.unsubscribe(note)


@pytest.fixture(scope="session")
def anybody(stack: Stack) -> Iterator[Caller]:
    """A caller without a credential."""
    with connected(stack) as caller:
        yield caller


@pytest.fixture
def owner(anybody: Caller) -> Caller:
    """The owner of an organization that has recorded nothing."""
    return with_key(anybody, new_name())
