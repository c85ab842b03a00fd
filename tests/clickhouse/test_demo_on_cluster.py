"""Demo data on a cluster: loaded once by however many servers, and played by one of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.commands.command import VUMETER, vumeter
from tests.demo.asking import NOON_US, clock_at, sums, totals_at
from tests.first_start import run_printed, started
from tests.stack import start_stack
from tests.waiting import until

from vumeter_server.access.roles import Role
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.commands.administration import Administration
from vumeter_server.commands.on_cluster import ClusterAdministration
from vumeter_server.demo import custom_metrics
from vumeter_server.demo.clickhouse import ClickHouseDemoMigration
from vumeter_server.demo.loading import load_demo
from vumeter_server.demo.record import DemoState
from vumeter_server.runtime.settings import Settings
from vumeter_server.times.units import DAY_US

UP = (*VUMETER, "up", "--demo")
FAMILIES = {"custom_metrics", "simulation"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A database of the cluster that there is not yet."""

    name: str
    blocking: BlockingClickHouse

    @property
    def administration(self) -> Administration:
        """What who starts a server does to it."""
        return ClusterAdministration(self.blocking)

    def states(self) -> dict[str, DemoState]:
        """Return what it was given."""
        return dict(
            self.blocking.run(lambda clickhouse: ClickHouseDemoMigration(clickhouse).states())
        )

    def totals(self, url: str) -> dict[str, float]:
        """Ask a server what the organization of demo data holds."""
        key = self.administration.keys.create_key("demo", Role.ADMIN, None)
        return totals_at(url, key.bearer)


@pytest.fixture
def store(clickhouse_cluster: ClickHouseCluster) -> Store:
    """Where everything is stored."""
    database = new_database()
    address = clickhouse_cluster.address(database)
    return Store(
        name=clickhouse_cluster.store(database),
        blocking=BlockingClickHouse(lambda: opened_clickhouse(address, "")),
    )


@contextlib.contextmanager
def running(directory: Path, store: Store) -> Iterator[tuple[str, str]]:
    """Start a server with demo data by somebody who has nothing; give what it prints, its URL."""
    directory.mkdir(exist_ok=True)
    with started(directory, command=UP, within_seconds=300, VUMETER_STORE=store.name) as printed:
        yield printed, json.loads((directory / "data" / "vumeter.db.running").read_text())["rest"]


def calls_of(directory: Path, url: str) -> set[str]:
    """Return the ids of the calls of demo data that are going on."""
    token = (directory / "data" / "admin-token").read_text().strip()
    answer = requests.get(
        f"{url}/api/v1/metrics/capacity/debug", headers={"X-Admin-Token": token}, timeout=30
    ).json()
    calls = {*answer["accepted_call_ids"], *answer["pending_call_ids"]}
    return {call_id for call_id in calls if call_id.startswith("demo_")}


def players_of(calls: set[str]) -> set[str]:
    return {call_id.split("_")[1] for call_id in calls}


@pytest.mark.timeout(600)
def test_of_two_servers_one_loads_and_one_plays_what_the_printed_requests_ask(
    store: Store, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with (
        # A product ends with the thread that started it.
        ThreadPoolExecutor(2) as threads,
        contextlib.ExitStack() as ends_first,
        contextlib.ExitStack() as ends_second,
    ):
        starting = [
            threads.submit(ends.enter_context, running(directory, store))
            for ends, directory in ((ends_first, first), (ends_second, second))
        ]
        (printed, url), (also_printed, other_url) = (each.result() for each in starting)
        both = printed + also_printed
        for what in ("points of custom metrics", "simulated calls"):
            assert both.count(f"{what} of the organization demo") == 1
        begun = store.states()
        assert begun.keys() == FAMILIES
        hours = custom_metrics.hours_before(begun["custom_metrics"].begun_us)
        expected = sums([custom_metrics.request_of_hour(hour_us) for hour_us in hours])
        for each in (url, other_url):
            assert store.totals(each) == expected
        answers = run_printed(printed, first, VUMETER_STORE=store.name)
        _, by_topic = answers["Custom metrics"]
        assert any("topic" in json.dumps(row) for row in by_topic["data"])
        assert answers["Simulation metrics"][2]["result"]["count"] == 12
        until(lambda: len(calls_of(first, url)) >= 3, seconds=120, every_seconds=1)
        assert len(players_of(calls_of(first, url))) == 1
        # Whoever played, the one that is left does.
        before = calls_of(first, url)
        ends_first.close()
        until(lambda: bool(calls_of(second, other_url) - before), seconds=120, every_seconds=1)
        until(
            lambda: len(players_of(calls_of(second, other_url))) == 1, seconds=60, every_seconds=1
        )
        assert "incomplete" not in (second / "stderr").read_text()


@pytest.mark.timeout(600)
async def test_it_is_extended_and_an_organization_that_was_deleted_gets_no_more(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = start_stack(tmp_path, VUMETER_STORE=store.name, VUMETER_ACCESS_LOG="false")
    settings = Settings(admin_token=SecretStr(stack.admin_token))

    async def load(now_us: int) -> str:
        await load_demo(settings, stack.grpc_target, store.administration, clock=clock_at(now_us))
        said = capsys.readouterr()
        assert said.err == ""
        return said.out

    try:
        assert "points of custom metrics" in await load(NOON_US)
        hours = custom_metrics.hours_before(NOON_US)
        assert await load(NOON_US) == ""
        assert "60 simulated calls" in await load(NOON_US + 2 * DAY_US)
        hours += custom_metrics.hours_between(NOON_US, NOON_US + 2 * DAY_US)
        expected = sums([custom_metrics.request_of_hour(hour_us) for hour_us in hours])
        assert store.totals(stack.rest_url) == expected
        vumeter("organizations", "delete", "demo", "--yes", VUMETER_STORE=store.name)
        assert await load(NOON_US + 4 * DAY_US) == ""
        assert store.administration.keys.organization_id("demo") is None
    finally:
        stack.stop()
