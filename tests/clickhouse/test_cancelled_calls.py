"""A query that its caller has given up stops on the nodes, whichever way the caller went."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
import requests
from tests.clickhouse.cluster import ClickHouseCluster
from tests.clickhouse.on_shards import organizations_on_shards
from tests.clickhouse.slowed import running, slow_down
from tests.stack import Stack, start_stack
from tests.waiting import comes_to_hold

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter_server.clickhouse import ClickHouse

POINT = {"name": "booking_attempt", "value": 1, "timestamp": "2026-05-01T10:00:00Z"}
AGGREGATE = "/v1/custom-metrics/aggregate?startDate=2026-05-01&endDate=2026-05-02"
# Left alone, a query for all of them would be ended after a minute.
POINTS = 1_000
QUERY_SECONDS = 60
STOPPED_WITHIN_SECONDS = 10


@pytest.fixture
async def clickhouse(clickhouse_cluster: ClickHouseCluster) -> AsyncIterator[ClickHouse]:
    """An empty database."""
    async with clickhouse_cluster.clickhouse() as opened:
        yield opened


@pytest.fixture
def stack(
    clickhouse_cluster: ClickHouseCluster,
    clickhouse: ClickHouse,
    tmp_path: Path,
) -> Iterator[Stack]:
    """A product on it, whose queries may take a minute."""
    started = start_stack(
        tmp_path,
        VUMETER_STORE=clickhouse_cluster.store(clickhouse.layout.database),
        VUMETER_QUERY_TIMEOUT_SECONDS=str(QUERY_SECONDS),
        VUMETER_ACCESS_LOG="false",
    )
    yield started
    started.stop()


def record(stack: Stack, authorization: str) -> None:
    recorded = requests.post(
        f"{stack.rest_url}/v1/custom-metrics",
        json={"points": [POINT] * POINTS},
        headers={"Authorization": authorization},
        timeout=60,
    )
    assert recorded.status_code == 200, recorded.text


@contextlib.contextmanager
def cancelled(stack: Stack, authorization: str) -> Iterator[None]:
    """Ask by gRPC, and cancel the call at the end."""
    request = pb.AggregateMetricsRequest()
    request.selection.start_time.FromJsonString("2026-05-01T00:00:00Z")
    request.selection.end_time.FromJsonString("2026-05-02T00:00:00Z")
    with grpc.insecure_channel(stack.grpc_target) as channel:
        call = CustomMetricsServiceStub(channel).AggregateMetrics.future(
            request, metadata=[("authorization", authorization)]
        )
        yield
        assert call.cancel(), call


@contextlib.contextmanager
def disconnected(stack: Stack, authorization: str) -> Iterator[None]:
    """Ask over REST, behind Envoy, and close the connection at the end."""
    connection = http.client.HTTPConnection(stack.edge_target)
    with contextlib.closing(connection):
        connection.request("GET", AGGREGATE, headers={"Authorization": authorization})
        yield


async def test_a_query_that_its_caller_gave_up_stops_on_the_nodes(
    clickhouse: ClickHouse, stack: Stack
) -> None:
    organization = (await organizations_on_shards(clickhouse, stack))[2]
    authorization = f"Bearer {stack.make_key(organization).bearer}"
    record(stack, authorization)
    await slow_down(clickhouse)
    mark = clickhouse.layout.reads("metric_points")

    async def runs_on(expected: list[bool]) -> bool:
        return await running(clickhouse, mark) == expected

    for given_up in (cancelled, disconnected):
        with given_up(stack, authorization):
            # On the first host, which is asked, and on the one that has the points.
            await comes_to_hold(lambda: runs_on([True, False, True]))
        await comes_to_hold(lambda: runs_on([False] * 3), seconds=STOPPED_WITHIN_SECONDS)
