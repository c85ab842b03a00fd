"""What tests ask a store of the organization ACME."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.conformance.simulation.engines import ACME
from tests.conformance.simulation.reports import RUN_TEST, execution_id

from vumeter_server.simulation.aggregation import DOCUMENTED_PERCENTILES, ExecutionMetrics
from vumeter_server.simulation.store import ExecutionsPage, SimulationStore


async def metrics_of(
    store: SimulationStore, number: int = 1, percentiles: Sequence[float] = DOCUMENTED_PERCENTILES
) -> ExecutionMetrics:
    found = await store.execution(ACME, execution_id(number), percentiles)
    assert found is not None
    return found


async def page(store: SimulationStore, limit: int = 10, **where: Any) -> ExecutionsPage:
    found = await store.executions(
        ACME, RUN_TEST, percentiles=DOCUMENTED_PERCENTILES, limit=limit, **where
    )
    assert found is not None
    return found
