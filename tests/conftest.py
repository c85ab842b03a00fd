"""Fixtures that every test may use."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.clickhouse.places import shared_cluster
from tests.effort import CLUSTER, LONG, ON_CLUSTER
from tests.stack import Stack, start_stack

# Several products run at a time, not all of them on ports that the system chooses.
os.environ["VUMETER_METRICS_PORT"] = "0"
# Products start in half the time where the modules that they import are compiled already.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Some tests open thousands of connections, and products of tests do as they may.
DESCRIPTORS = 65_536
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_allowed = DESCRIPTORS if _hard == resource.RLIM_INFINITY else min(_hard, DESCRIPTORS)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, _allowed), _hard))

# No test fails because it was slow on a busy machine.
settings.register_profile("short", deadline=None)
settings.register_profile("long", deadline=None, max_examples=1_000)
settings.load_profile("long" if LONG else "short")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run the suite: one more than cores, since tests wait, too."""
    return min((os.cpu_count() or 1) + 1, 4)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests take as long as they need where they try much; leave much work to long modes."""
    for item in items:
        if LONG:
            item.add_marker(pytest.mark.timeout(0), append=False)
        elif CLUSTER and item.get_closest_marker("timeout") is None:
            # A cluster on one machine is slow, not hung, where something else runs beside it.
            item.add_marker(pytest.mark.timeout(CLUSTER_SECONDS))
    if not CLUSTER:
        left_out = [item for item in items if _tries_much_on_clickhouse(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _tries_much_on_clickhouse(item)]


CLUSTER_SECONDS = 600
_ON_CLUSTER_ALONE = {
    "test_callers_of_failures.py",
    "test_cancelled_calls.py",
    "test_commands_on_cluster.py",
    "test_doctor_on_cluster.py",
    "test_demo_on_cluster.py",
    "test_hung_nodes.py",
    "test_races.py",
    "test_servers.py",
    "test_live_races.py",
    "test_live_servers.py",
    "test_two_machines.py",
}
_LEFT_TO_CLUSTER = (
    "tests/conformance/live_metrics/test_failures.py",
    "tests/conformance/simulation/",
    "tests/custom_metrics/clickhouse/",
    "tests/otlp/test_clickhouse.py",
)


def _tries_much_on_clickhouse(item: pytest.Item) -> bool:
    """Whether `make test-cluster` alone runs it: a statement of ClickHouse takes milliseconds."""
    if "clickhouse" not in item.nodeid:
        return False
    if any(folder in item.nodeid for folder in _LEFT_TO_CLUSTER):
        return True
    if "tests/store_migration/" in item.nodeid and "there_and_back" not in item.name:
        return True
    return item.path.name in _ON_CLUSTER_ALONE or "at_once" in item.name


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One product for all tests that do not end it or look at its processes.

    Tests keep out of each other's way by organizations of their own.
    """
    environment = {"VUMETER_ACCESS_LOG": "false"}
    if ON_CLUSTER:
        environment["VUMETER_STORE"] = shared_cluster().store(new_database())
    started = start_stack(tmp_path_factory.mktemp("stack"), **environment)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def clickhouse_cluster() -> ClickHouseCluster:
    """Three nodes of ClickHouse, for all tests that leave them as they were.

    Tests keep out of each other's way by databases of their own.
    """
    return shared_cluster()
