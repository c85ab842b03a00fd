"""The store of custom metrics on ClickHouse."""

from vumeter_server.custom_metrics.clickhouse.administration import ClickHouseMetricAdministration
from vumeter_server.custom_metrics.clickhouse.store import ClickHouseMetricStore

__all__ = ["ClickHouseMetricAdministration", "ClickHouseMetricStore"]
