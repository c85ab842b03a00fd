"""How SQLite keeps simulation metrics."""

from vumeter_server.simulation.sqlite.store import SqliteSimulationStore

__all__ = ["SqliteSimulationStore"]
