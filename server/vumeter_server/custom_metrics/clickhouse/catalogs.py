"""The catalogs of organizations in memory, read on before each use."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import pyarrow as pa

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.catalog import MetricCatalog
from vumeter_server.custom_metrics.clickhouse.changes import CatalogChange, decode_change
from vumeter_server.custom_metrics.clickhouse.conditions import Moment
from vumeter_server.custom_metrics.clickhouse.rows import LogRowKind
from vumeter_server.custom_metrics.clickhouse.schema import POINTS

T = TypeVar("T")

MAX_CATALOG_ENTRIES: Final = 5_000_000
"""What the catalogs of all organizations may hold in memory, about 200 bytes each."""
ON_LOOP: Final = 100
"""For so much the event loop is not left."""
SMALL_CATALOG: Final = 20_000
"""Going through as many entries takes about a millisecond."""


class HeldCatalog:
    """The catalog of an organization.

    Attributes:
        read_at: by the clock of the event loop, when it was what was stored.
        lock: held by whoever uses the catalog, or changes it.
        reading: held by whoever reads on.
        users: how many hold on to it.
    """

    def __init__(self) -> None:
        self.catalog = MetricCatalog()
        self.read_at = float("-inf")
        self.lock = asyncio.Lock()
        self.reading = asyncio.Lock()
        self.users = 0
        self.next_read: asyncio.Task[None] | None = None

    @property
    def is_used(self) -> bool:
        """Whether it has to stay in memory."""
        return bool(self.users or self.lock.locked() or self.reading.locked() or self.next_read)

    async def apply(self, seq: int, change: CatalogChange, *, read_at: float) -> None:
        """Take an entry into account that was just appended, unless it was read already."""
        async with self.lock:
            if self.catalog.seq != seq - 1:
                return
            if len(change.series) + len(change.unused) <= ON_LOOP:
                self.catalog.apply(seq, change)
            else:
                await asyncio.to_thread(self.catalog.apply, seq, change)
            self.read_at = read_at


class Catalogs:
    """The catalogs of all organizations, as many as there is room for."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._points = clickhouse.layout.reads(POINTS)
        self._held: OrderedDict[int, HeldCatalog] = OrderedDict()

    async def moment(self, organization_id: int) -> Moment:
        """Return what a query sees that is asked now."""
        return await self.use(organization_id, lambda catalog: moment_of(organization_id, catalog))

    async def use(
        self, organization_id: int, work: Callable[[MetricCatalog], T], *, on_thread: bool = False
    ) -> T:
        """Read on, and return what `work` does with the catalog."""
        await self.read_on(organization_id)
        held = self.of(organization_id)
        async with held.lock:
            if on_thread:
                return await asyncio.to_thread(work, held.catalog)
            return work(held.catalog)

    def of(self, organization_id: int) -> HeldCatalog:
        """Return the catalog of an organization, as it was read last."""
        held = self._held.get(organization_id)
        if held is None:
            self._forget_some()
            held = self._held[organization_id] = HeldCatalog()
        self._held.move_to_end(organization_id)
        return held

    def _forget_some(self) -> None:
        entries = sum(each.catalog.entries for each in self._held.values())
        for organization_id, each in list(self._held.items()):
            if entries <= MAX_CATALOG_ENTRIES:
                return
            if not each.is_used:
                entries -= each.catalog.entries
                del self._held[organization_id]

    async def read_on(self, organization_id: int) -> None:
        """Read all entries that are there when it is called; calls at one time share a read."""
        held = self.of(organization_id)
        if held.next_read is None:
            held.next_read = asyncio.create_task(self._read(organization_id, held))
            held.next_read.add_done_callback(_retrieved)
        await asyncio.shield(held.next_read)

    async def _read(self, organization_id: int, held: HeldCatalog) -> None:
        async with held.reading:
            # Whoever asks from now on may have recorded something that this does not see.
            held.next_read = None
            read_at = asyncio.get_running_loop().time()
            catalog = held.catalog
            entries = (
                f"FROM {self._points} WHERE organization = {organization_id} AND metric = ''"
                f" AND kind = {int(LogRowKind.ENTRY)} AND time_us > {catalog.seq}"
            )
            last = 0
            if not catalog.seq:
                # Most entries of a long log change nothing.
                found = await self._clickhouse.query(f"SELECT max(time_us) {entries}")
                last = found.column(0)[0].as_py()
                if not last:
                    held.read_at = max(held.read_at, read_at)
                    return
                entries += f" AND time_us <= {last} AND payload != ''"
            found = await self._clickhouse.query(
                f"SELECT time_us, payload {entries} ORDER BY time_us, recorded_us, entry"
            )
            async with held.lock:
                if found.num_rows:
                    await asyncio.to_thread(_apply, catalog, rows_of(found))
                catalog.seq = max(catalog.seq, last)
                held.read_at = read_at


def moment_of(organization_id: int, catalog: MetricCatalog) -> Moment:
    """Return the moment of a catalog."""
    return Moment(
        organization_id=organization_id,
        seq=catalog.seq,
        metrics=catalog.metrics,
        hidden=catalog.hidden,
    )


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of an answer."""
    columns = [table.column(index).to_pylist() for index in range(table.num_columns)]
    return list(zip(*columns, strict=True))


def _apply(catalog: MetricCatalog, entries: Sequence[tuple[int, str]]) -> None:
    for seq, payload in entries:
        # Of two blocks with one number the first stands.
        if seq > catalog.seq:
            catalog.apply(seq, decode_change(payload) if payload else CatalogChange())


def _retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
