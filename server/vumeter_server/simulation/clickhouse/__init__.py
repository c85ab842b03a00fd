"""The store of simulation metrics on ClickHouse."""

from vumeter_server.simulation.clickhouse.store import ClickHouseSimulationStore

__all__ = ["ClickHouseSimulationStore"]
