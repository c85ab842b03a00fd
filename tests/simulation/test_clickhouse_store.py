"""What is of the store on ClickHouse alone."""

from __future__ import annotations

from tests.clickhouse.places import ClickHousePlace
from tests.conformance.simulation.engines import ACME
from tests.conformance.simulation.reports import call, execution

from vumeter_server.simulation.clickhouse.reading import SimulationReader
from vumeter_server.simulation.clickhouse.store import ClickHouseSimulationStore


async def test_reading_begins_anew_for_executions_and_not_for_calls(
    clickhouse_place: ClickHousePlace,
) -> None:
    async with clickhouse_place.opened() as clickhouse:
        store = ClickHouseSimulationStore(clickhouse)
        reader = SimulationReader(clickhouse, ACME)
        await store.record_execution(ACME, execution(0))
        readings = 0

        async def read_while_calls_are_recorded() -> int:
            nonlocal readings
            readings += 1
            await store.record_calls(ACME, [call(readings, 0)])
            return readings

        assert await reader.at_one_moment(read_while_calls_are_recorded) == 1

        async def read_while_executions_come_and_go() -> int:
            nonlocal readings
            readings += 1
            if readings == 2:
                await store.record_execution(ACME, execution(1))
            elif readings == 3:
                await store.delete_execution(ACME, execution(1).execution_id)
            elif readings == 4:
                await store.record_run_test(ACME, "another")
            return readings

        assert await reader.at_one_moment(read_while_executions_come_and_go) == 5
