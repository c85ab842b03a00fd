"""What the commands ask of the store on ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from vumeter_server.custom_metrics.clickhouse.labels import answer_metrics
from vumeter_server.custom_metrics.clickhouse.store import ClickHouseMetricStore
from vumeter_server.custom_metrics.questions import MetricInfo

T = TypeVar("T")

Run = Callable[[Coroutine[Any, Any, Any]], Any]
FindOrganization = Callable[[str], Coroutine[Any, Any, int | None]]


class ClickHouseMetricAdministration:
    """Implements MetricAdministration."""

    def __init__(self, store: ClickHouseMetricStore, find: FindOrganization, run: Run) -> None:
        """`find` returns the id of an organization by its name; `run` waits for a coroutine."""
        self._store = store
        self._find = find
        self._run = run

    def list_metrics(self, organization: str) -> list[MetricInfo] | None:
        """Return the metrics of an organization, by name."""

        async def listed() -> list[MetricInfo] | None:
            organization_id = await self._find(organization)
            if organization_id is None:
                return None
            return await self._store.log.catalogs.use(
                organization_id, lambda catalog: answer_metrics(catalog, are_used=False)
            )

        found: list[MetricInfo] | None = self._run(listed())
        return found

    def delete_metric(self, organization: str, name: str) -> bool:
        """Delete a metric with its points."""

        async def deleted() -> bool:
            organization_id = await self._find(organization)
            if organization_id is None:
                return False
            return await self._store.deletion.forget_metric(organization_id, name)

        is_deleted: bool = self._run(deleted())
        return is_deleted
