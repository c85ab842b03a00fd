"""Fixtures that every test may use."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.clickhouse.chosen import (
    CLUSTER_ID,
    is_chosen,
    is_left_to_cluster,
    runs_on_cluster,
)
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.clickhouse.places import PLACES, ClickHousePlace, shared_cluster
from tests.effort import CLUSTER, LONG, ON_CLUSTER
from tests.stack import Stack, Start, start_stack
from xdist.scheduler import LoadFileScheduling

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


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Let one process run all that needs a cluster, which starts once then."""
    if CLUSTER or config.getvalue("dist") != "loadfile":
        return None
    return OneClusterScheduling(config, log)


# xdist says nothing of its types, so that what is made of its class has none either.
class OneClusterScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Gives a file of tests to one process, and the tests on a cluster of all files, too."""

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER_ID if runs_on_cluster(nodeid) else str(super()._split_scope(nodeid))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is chosen on a product on a cluster too, with a name of its own."""
    if ON_CLUSTER or "start" not in metafunc.fixturenames:
        return
    if is_chosen(metafunc.definition.nodeid):
        stores = [pytest.param("", id=pytest.HIDDEN_PARAM), pytest.param(CLUSTER_ID, id=CLUSTER_ID)]
        metafunc.parametrize("start", stores, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests take as long as they need where they try much; leave much work to long modes."""
    for item in items:
        if LONG:
            item.add_marker(pytest.mark.timeout(0), append=False)
        elif item.get_closest_marker("timeout") is None and (CLUSTER or CLUSTER_ID in item.nodeid):
            # A cluster on one machine is slow, not hung, where something else runs beside it.
            item.add_marker(pytest.mark.timeout(CLUSTER_SECONDS))
    if not CLUSTER:
        left_out = [item for item in items if is_left_to_cluster(item.nodeid)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not is_left_to_cluster(item.nodeid)]


CLUSTER_SECONDS = 600


@pytest.fixture(scope="session")
def start(request: pytest.FixtureRequest) -> Start:
    """Starts a product: on a file in a directory, or on an empty database of a cluster.

    What is about a file starts it by `start_stack`.
    """
    if not ON_CLUSTER and getattr(request, "param", "") != CLUSTER_ID:
        return start_stack
    cluster = shared_cluster()

    def start_on_cluster(directory: Path, *arguments: str, **environment: str) -> Stack:
        environment = {"VUMETER_STORE": cluster.store(new_database()), **environment}
        return start_stack(directory, *arguments, **environment)

    return start_on_cluster


@pytest.fixture(scope="session")
def stack(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One product for all tests that do not end it or look at its processes.

    Tests keep out of each other's way by organizations of their own.
    """
    started = start(tmp_path_factory.mktemp("stack"), VUMETER_ACCESS_LOG="false")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def clickhouse_cluster() -> ClickHouseCluster:
    """Three nodes of ClickHouse, for all tests that leave them as they were.

    Tests keep out of each other's way by databases of their own.
    """
    return shared_cluster()


@pytest.fixture(params=PLACES)
def clickhouse_place(request: pytest.FixtureRequest) -> ClickHousePlace:
    """An empty database of each kind of ClickHouse."""
    return PLACES[request.param]()
