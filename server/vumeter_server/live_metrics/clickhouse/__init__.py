"""Live metrics in ClickHouse."""

from vumeter_server.live_metrics.clickhouse.store import ClickHouseLiveStore

__all__ = ["ClickHouseLiveStore"]
