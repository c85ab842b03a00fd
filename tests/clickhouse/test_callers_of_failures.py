"""What callers of a product on a cluster see, behind Envoy, while a node is down or hangs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import grpc
import pytest
import requests
from tests.clickhouse.cluster import ClickHouseCluster, ClickHouseNode, hung, killed, new_database
from tests.clickhouse.on_shards import SHARDS, organizations_on_shards, shard_of
from tests.clickhouse.slowed import running, slow_down
from tests.commands.command import try_vumeter, vumeter
from tests.stack import ADMIN_TOKEN, Stack, start_stack
from tests.waiting import until

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub
from vumeter_server.access.keys import NewKey, new_key
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse

# A call asks the cluster for a key first, and then for what it wants: each of these may wait for
# three seconds. The rest is for a busy machine; a query's own deadline is at ten seconds.
ANSWERED_WITHIN_SECONDS: Final = 9.0
BACK_WITHIN_SECONDS: Final = 30.0
QUERY_SECONDS: Final = 2
STOPPED_WITHIN_SECONDS: Final = 10.0
AGGREGATE: Final = "/v1/custom-metrics/aggregate?startDate=2026-05-01&endDate=2026-05-02"
POINT: Final = {"name": "booking_attempt", "value": 1, "timestamp": "2026-05-01T10:00:00Z"}
LIVE: Final = "/api/v1/metrics"
TENANT: Final = "clinic"
EVENT: Final = {"type": "accepted", "tenant_id": TENANT, "occurred_at": "2026-05-01T10:00:00Z"}
ADMIN: Final = {"X-Admin-Token": ADMIN_TOKEN}


class Failing(Protocol):
    """Lets a node fail for a while."""

    __name__: str

    def __call__(self, node: ClickHouseNode) -> AbstractContextManager[None]:
        """Fail until the end of the block."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product on a cluster.

    Attributes:
        organizations: for each shard the name of one that is on it.
        keys: theirs.
        shard_of_logs: the shard that has the live metrics, and the numbers of organizations.
    """

    stack: Stack
    database: BlockingClickHouse
    organizations: list[str]
    keys: list[NewKey]
    shard_of_logs: int

    def call(
        self, method: str, path: str, body: Any = None, *, key: NewKey | None = None
    ) -> requests.Response:
        """Ask, by the admin token without a key; every answer comes in time."""
        headers = {"Authorization": f"Bearer {key.bearer}"} if key else ADMIN
        answer = requests.request(
            method, f"{self.stack.rest_url}{path}", json=body, headers=headers, timeout=60
        )
        assert answer.elapsed.total_seconds() < ANSWERED_WITHIN_SECONDS, answer.text
        return answer

    def status(self, method: str, path: str, body: Any = None, *, key: NewKey | None = None) -> int:
        """Do as `call`; return the status."""
        return self.call(method, path, body, key=key).status_code

    def record(self, shard: int, batch: str) -> int:
        """Record a point for the organization of a shard, once however often; return the status."""
        body = {"points": [POINT], "idempotencyKey": batch}
        return self.status("POST", "/v1/custom-metrics", body, key=self.keys[shard])

    def total(self, shard: int) -> int:
        """Return how many points the organization of a shard has."""
        answer = self.call("GET", AGGREGATE, key=self.keys[shard])
        assert answer.status_code == 200, answer.text
        return int(answer.json()["data"].get("booking_attempt", 0))

    def report(self, event_id: str) -> int:
        """Report a call, once however often; return the status."""
        event = EVENT | {"event_id": event_id, "call_id": event_id}
        return self.status("POST", f"{LIVE}/events", {"events": [event]})

    def accepted(self) -> int:
        """Return how many calls of the tenant were accepted."""
        return int(self.call("GET", f"{LIVE}/live/{TENANT}").json()["accepted_calls"])

    @contextlib.contextmanager
    def watched(self) -> Iterator[Iterator[int]]:
        """Watch the tenant; gives how many calls were accepted, again and again."""
        url = f"{self.stack.rest_url}{LIVE}/watch?tenant_id={TENANT}"
        with requests.get(url, headers=ADMIN, stream=True, timeout=60) as answer:
            assert answer.status_code == 200, answer.text
            yield (
                int(json.loads(line.removeprefix(b"data: "))["accepted_calls"])
                for line in answer.iter_lines()
                if line.startswith(b"data: ")
            )

    def watch_refused(self) -> grpc.StatusCode:
        """Begin to watch by gRPC, which is refused; return why."""
        with grpc.insecure_channel(self.stack.edge_target) as channel:
            asked = pb.WatchLiveMetricsRequest(tenant_id=TENANT)
            shown = (("x-admin-token", ADMIN_TOKEN),)
            watching = LiveMetricsServiceStub(channel).WatchLiveMetrics(asked, metadata=shown)
            with pytest.raises(grpc.RpcError) as caught:
                next(watching)
            return caught.value.code()


def started(cluster: ClickHouseCluster, directory: Path, **environment: str) -> Product:
    name = new_database()
    address = cluster.address(name)
    store = cluster.store(name)
    stack = start_stack(directory, VUMETER_STORE=store, VUMETER_ACCESS_LOG="false", **environment)
    database = BlockingClickHouse(lambda: opened_clickhouse(address, ""))
    organizations = database.run(lambda clickhouse: organizations_on_shards(clickhouse, stack))
    return Product(
        stack=stack,
        database=database,
        organizations=organizations,
        keys=[stack.make_key(each) for each in organizations],
        shard_of_logs=database.run(lambda clickhouse: shard_of(clickhouse, "organizations")),
    )


@pytest.fixture(scope="module")
def product(
    clickhouse_cluster: ClickHouseCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """A product that asks the node of shard 0 first."""
    opened = started(clickhouse_cluster, tmp_path_factory.mktemp("product"))
    yield opened
    opened.stack.stop()


@pytest.mark.parametrize("gone", range(SHARDS))
@pytest.mark.parametrize("failing", [killed, hung])
def test_what_is_on_a_shard_that_is_gone_is_503_and_the_others_go_on(
    clickhouse_cluster: ClickHouseCluster, product: Product, gone: int, failing: Failing
) -> None:
    batch = f"{failing.__name__}-{gone}"
    # What a first host that hangs was sent is 503, and served when it is tried again.
    tried_for_seconds = BACK_WITHIN_SECONDS if failing is hung and gone == 0 else 0.0
    others = [shard for shard in range(SHARDS) if shard != gone]
    for shard in range(SHARDS):
        assert product.record(shard, f"{batch}-before") == 200
    before = [product.total(shard) for shard in range(SHARDS)]
    unseen = [product.stack.make_key(each) for each in product.organizations]
    with failing(clickhouse_cluster.nodes[gone]):
        for key in (product.keys[gone], unseen[gone]):
            assert product.call("GET", AGGREGATE, key=key).status_code == 503
        assert product.record(gone, batch) == 503
        for shard in others:
            assert_is_answered(partial(product.record, shard, batch), tried_for_seconds)
            assert product.total(shard) == before[shard] + 1
            ask = partial(product.status, "GET", AGGREGATE, key=unseen[shard])
            assert_is_answered(ask, tried_for_seconds)
        # It may be a key of the shard that is gone.
        assert product.status("GET", AGGREGATE, key=new_key()) == 503
    assert_is_answered(partial(product.record, gone, batch), BACK_WITHIN_SECONDS)
    # What was answered 503 is there once, whether it was stored then or now.
    assert [product.total(shard) for shard in range(SHARDS)] == [each + 1 for each in before]
    assert product.status("GET", AGGREGATE, key=new_key()) == 401


def assert_is_answered(ask: Callable[[], int], tried_for_seconds: float) -> None:
    """Assert that a call is answered 200, tried again for some seconds while it is 503."""

    def is_answered() -> bool:
        status = ask()
        assert status in ((200, 503) if tried_for_seconds else (200,))
        return status == 200

    until(is_answered, seconds=tried_for_seconds)


@pytest.mark.parametrize("failing", [killed, hung])
def test_while_the_shard_of_live_metrics_is_gone_they_are_503_and_watchers_get_what_they_had(
    clickhouse_cluster: ClickHouseCluster, product: Product, failing: Failing
) -> None:
    product.report(f"{failing.__name__}-before")
    before = product.accepted()
    event_id, organization = f"{failing.__name__}-event", f"{failing.__name__}-organization"
    report = partial(product.report, event_id)
    with product.watched() as told:
        assert next(told) == before
        with failing(clickhouse_cluster.nodes[product.shard_of_logs]):
            assert report() == 503
            watch = f"watch?tenant_id={TENANT}"
            for path in (f"live/{TENANT}", "capacity/debug", "tenants", watch):
                assert product.status("GET", f"{LIVE}/{path}") == 503
            assert product.watch_refused() is grpc.StatusCode.UNAVAILABLE
            # Told again after 15 seconds in which nothing changed.
            assert next(told) == before
            # No organization is created.
            create = ("keys", "create", "--organization", organization, "--role", "owner")
            refused = try_vumeter(*create, VUMETER_STORE=product.stack.store)
            assert refused.returncode != 0
            assert "Traceback" not in refused.stderr
        assert_is_answered(report, BACK_WITHIN_SECONDS)
        # Once, whether it was recorded then or now.
        assert next(each for each in told if each != before) == before + 1
    assert product.accepted() == before + 1
    listed = vumeter("organizations", "list", "--format", "json", VUMETER_STORE=product.stack.store)
    assert organization not in listed
    vumeter(*create, VUMETER_STORE=product.stack.store)


def test_a_query_that_takes_too_long_is_504_and_nothing_of_it_runs_on(
    clickhouse_cluster: ClickHouseCluster, tmp_path: Path
) -> None:
    product = started(
        clickhouse_cluster, tmp_path, VUMETER_QUERY_TIMEOUT_SECONDS=str(QUERY_SECONDS)
    )
    body = {"points": [POINT] * 1_000, "idempotencyKey": "batch"}
    key = product.keys[2]
    record = partial(product.status, "POST", "/v1/custom-metrics", body, key=key)
    assert_is_answered(record, BACK_WITHIN_SECONDS)
    product.database.run(slow_down)
    assert product.status("GET", AGGREGATE, key=key) == 504

    def runs_somewhere() -> bool:
        async def ask(clickhouse: ClickHouse) -> bool:
            return any(await running(clickhouse, clickhouse.layout.reads("metric_points")))

        return product.database.run(ask)

    until(lambda: not runs_somewhere(), seconds=STOPPED_WITHIN_SECONDS)
    assert product.status("GET", "/v1/custom-metrics/names", key=key) == 200
    product.stack.stop()
