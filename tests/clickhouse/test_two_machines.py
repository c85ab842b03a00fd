"""Two machines, each with a network of its own, behind one Envoy that has both as endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.clickhouse.cluster import new_database, running_cluster
from tests.stack import ADMIN_TOKEN, Stack, start_stack
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.edge.config import EdgeConfig
from vumeter_server.edge.process import Envoy
from vumeter_server.runtime.addresses import Address

AGGREGATE = "/v1/custom-metrics/aggregate?startDate=2026-05-01&endDate=2026-05-02"
POINT = {"name": "booking_attempt", "value": 1, "timestamp": "2026-05-01T10:00:00Z"}
LIVE = "/api/v1/metrics"
EVENT = {"type": "accepted", "occurred_at": "2026-05-01T10:00:00Z"}
SHARED_WITHIN_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine: a network namespace, on a bridge with the others."""

    name: str
    address: str
    stack: Stack

    def cut_off(self) -> None:
        """Pull its network cable."""
        _ip("netns", "exec", self.name, "ip", "link", "set", "eth0", "down")

    def plug_in(self) -> None:
        """Put the cable back."""
        _ip("netns", "exec", self.name, "ip", "link", "set", "eth0", "up")

    def requests(self) -> int:
        """Return how many queries and recordings it has answered."""
        text = requests.get(self.stack.metrics_url, timeout=20).text
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in text.splitlines()
            if line.startswith("vumeter_requests_total{") and "CustomMetrics" in line
        )


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Two machines, and the Envoy before them."""

    machines: list[Machine]
    url: str
    key: NewKey

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Ask whichever machine Envoy chooses, on a connection of its own."""
        return requests.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key.bearer}", **headers},
            timeout=30,
        )

    def record(self, number: int) -> requests.Response:
        """Record the point of a number, once however often it is tried."""
        body = {"points": [POINT], "idempotencyKey": f"batch-{number}"}
        return self.call("POST", "/v1/custom-metrics", body)

    def total(self) -> int:
        """Return how many points there are."""
        answer = self.call("GET", AGGREGATE)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["data"].get("booking_attempt", 0))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def bridge() -> Iterator[str]:
    """Make a network for machines. Gives how its addresses begin: it has those from 1 to 9 itself.

    Networks are made by `ip`, of the Debian package iproute2, and by root alone.
    """
    number = os.getpid() % 250
    name, prefix = f"vumeter{number}", f"10.213.{number}."
    try:
        _ip("link", "add", name, "type", "bridge")
    except subprocess.CalledProcessError as error:
        # A right that no test can give itself. Whatever else is wrong fails.
        if "not permitted" not in error.stderr:
            raise
        pytest.skip(f"this user may not make networks: {error.stderr.strip()}")
    try:
        for last in range(1, 10):
            _ip("address", "add", f"{prefix}{last}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield prefix
    finally:
        _ip("link", "delete", name)


@contextlib.contextmanager
def machine_on(prefix: str, number: int, directory: Path, store: str) -> Iterator[Machine]:
    """Run `vumeter up` on a machine of its own."""
    bridged = f"vumeter{prefix.split('.')[2]}"
    name, address = f"{bridged}-{number}", f"{prefix}{10 + number}"
    _ip("netns", "add", name)
    try:
        cable = f"v{bridged[7:]}-{number}"
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", cable, "master", bridged, "up")
        within = (str(shutil.which("ip")), "netns", "exec", name)
        _ip(*within[1:], "ip", "address", "add", f"{address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip(*within[1:], "ip", "link", "set", link, "up")
        directory.mkdir()
        stack = start_stack(
            directory,
            within=within,
            VUMETER_STORE=store,
            VUMETER_HOST=address,
            VUMETER_METRICS_HOST=address,
            VUMETER_INSECURE="true",
            VUMETER_ACCESS_LOG="false",
        )
        yield Machine(name=name, address=address, stack=stack)
        stack.stop()
    finally:
        _ip("netns", "delete", name)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """Two machines on one cluster."""
    directory = tmp_path_factory.mktemp("machines")
    with contextlib.ExitStack() as opened:
        prefix = opened.enter_context(bridge())
        hosts = [f"{prefix}{last}" for last in (1, 2, 3)]
        store = opened.enter_context(running_cluster(directory, hosts)).store(new_database())
        yield [
            opened.enter_context(machine_on(prefix, each, directory / f"m{each}", store))
            for each in (1, 2)
        ]


@pytest.fixture
async def edge(machines: list[Machine]) -> AsyncIterator[Edge]:
    """The Envoy before both."""
    envoy = await Envoy.start(
        EdgeConfig(
            listen=Address(host="127.0.0.1", port=0),
            upstreams=[
                Address(host=each.address, port=int(each.stack.grpc_target.rpartition(":")[2]))
                for each in machines
            ],
            access_log=False,
        )
    )
    try:
        address = await envoy.wait_until_ready()
        key = machines[0].stack.make_key(f"clinic-{time.monotonic_ns()}")
        yield Edge(machines=machines, url=f"http://{address.host}:{address.port}", key=key)
    finally:
        await envoy.stop()


async def test_what_is_recorded_through_either_is_in_the_next_answer_of_any(edge: Edge) -> None:
    def record_and_ask() -> None:
        before = [each.requests() for each in edge.machines]
        for number in range(1, 21):
            assert edge.record(number).status_code == 200
            assert edge.record(number).status_code == 200
            assert edge.total() == number
        answered = [each.requests() for each in edge.machines]
        assert all(now > then for now, then in zip(answered, before, strict=True))

    await asyncio.to_thread(record_and_ask)


async def test_a_key_that_is_revoked_is_refused_by_both_within_a_second(edge: Edge) -> None:
    def is_refused_by(machine: Machine) -> bool:
        # By the machine's own Envoy.
        headers = {"Authorization": f"Bearer {edge.key.bearer}"}
        url = f"{machine.stack.rest_url}{AGGREGATE}"
        return requests.get(url, headers=headers, timeout=30).status_code == 401

    def revoke() -> None:
        for _ in range(20):
            assert edge.total() == 0
        assert not any(map(is_refused_by, edge.machines))
        edge.machines[1].stack.revoke_key(edge.key)
        until(lambda: all(map(is_refused_by, edge.machines)), seconds=1)
        for _ in range(20):
            assert edge.call("GET", AGGREGATE).status_code == 401

    await asyncio.to_thread(revoke)


async def test_live_metrics_are_one_and_watched_on_each(edge: Edge) -> None:
    tenant = f"clinic-{time.monotonic_ns()}"
    admin = {"X-Admin-Token": ADMIN_TOKEN}

    def report_and_watch() -> None:
        with contextlib.ExitStack() as watching:
            # One on each machine, by the machine's own Envoy, and one whom the common one sends.
            watchers = [
                watching.enter_context(
                    requests.get(
                        f"{url}{LIVE}/watch?tenant_id={tenant}",
                        headers=admin,
                        stream=True,
                        timeout=30,
                    )
                ).iter_lines()
                for url in (*(each.stack.rest_url for each in edge.machines), edge.url)
            ]
            for lines in watchers:
                assert b'"accepted_calls":0' in next(lines)
            for number in range(3):
                event = EVENT | {
                    "tenant_id": tenant,
                    "event_id": f"{tenant}-{number}",
                    "call_id": f"{tenant}-{number}",
                }
                answer = edge.call("POST", f"{LIVE}/events", {"events": [event]}, **admin)
                assert answer.status_code == 200, answer.text
                shown = edge.call("GET", f"{LIVE}/live/{tenant}", **admin).json()
                assert shown["accepted_calls"] == number + 1
            for lines in watchers:
                assert any(b'"accepted_calls":3' in line for line in lines)

    await asyncio.to_thread(report_and_watch)


async def test_a_machine_that_is_cut_off_is_left_out_and_nothing_is_lost(edge: Edge) -> None:
    def record_on() -> None:
        cut, left = edge.machines
        numbers = iter(range(1, 1_000))
        acknowledged = 0

        def recorded() -> None:
            """Record one more, tried again as a client does."""
            nonlocal acknowledged
            number = next(numbers)
            until(lambda: edge.record(number).status_code == 200, seconds=SHARED_WITHIN_SECONDS)
            acknowledged += 1

        for _ in range(5):
            recorded()
        cut.cut_off()
        try:
            with pytest.raises(requests.ConnectionError):
                requests.get(cut.stack.metrics_url, timeout=1)
            for _ in range(20):
                recorded()
            assert edge.total() == acknowledged
        finally:
            cut.plug_in()
        before = cut.requests()

        def is_asked_again() -> bool:
            recorded()
            return cut.requests() > before

        until(is_asked_again, seconds=SHARED_WITHIN_SECONDS)
        left.cut_off()
        try:
            until(lambda: edge.record(1).status_code == 200, seconds=SHARED_WITHIN_SECONDS)
            recorded()
            assert edge.total() == acknowledged
        finally:
            left.plug_in()

    await asyncio.to_thread(record_on)
