"""Live metrics in SQLite."""

from vumeter_server.live_metrics.sqlite.store import SqliteLiveStore

__all__ = ["SqliteLiveStore"]
