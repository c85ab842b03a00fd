"""Statements with much in them reach every node of a cluster."""

from __future__ import annotations

from tests.clickhouse.cluster import ClickHouseCluster
from tests.conformance.custom_metrics.asking import DAY_US, at, batch_of
from tests.conformance.custom_metrics.subjects import NOON_US

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.clickhouse import ClickHouseMetricStore
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import (
    FunctionOfMetric,
    GroupedQuery,
    Selection,
    SumQuery,
)

LONG = [f"{number:04}" + "😀" * 252 for number in range(1_000)]
# As of days in a zone whose clocks go forward and back.
BOUNDS = [NOON_US - 7_000 * DAY_US + number * DAY_US + number % 3 for number in range(7_001)]


async def test_thousands_of_bounds_and_long_values(clickhouse_cluster: ClickHouseCluster) -> None:
    filters = [Matcher("caller", Operator.IN, tuple(LONG))] * 3
    function = Function(Statistic.COUNT)
    query = GroupedQuery(
        bounds_us=BOUNDS,
        columns=[FunctionOfMetric(metric_name="booking_attempt", function=function)],
        filters=filters,
    )
    async with clickhouse_cluster.clickhouse() as clickhouse:
        nodes = clickhouse.nodes
        # Each organization is on another node than the one that is asked, or on the same.
        for organization_id in range(1, 4):
            server = ClickHouseMetricStore(nodes[0], lambda: NOON_US)
            points = batch_of(at(0, tags={"caller": LONG[7]}), at(1), at(2, tags={"caller": "x"}))
            await server.record(organization_id, points, idempotency=None, now_us=NOON_US)
            selection = Selection(start_us=BOUNDS[0], end_us=BOUNDS[-1])
            found = await server.sums(
                organization_id, SumQuery(selection=selection, bounds_us=BOUNDS)
            )
            assert (found.periods.tolist(), found.totals.tolist()) == ([6_999], [3.0])
            grouped = await server.at_one_moment(organization_id, lambda ask: ask(query))
            assert (grouped.buckets.tolist(), grouped.values.tolist()) == ([6_999], [[1.0]])
