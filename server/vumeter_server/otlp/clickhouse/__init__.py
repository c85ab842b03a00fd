"""The store of what exporters send, on ClickHouse."""

from vumeter_server.otlp.clickhouse.store import ClickHouseExportStore

__all__ = ["ClickHouseExportStore"]
