"""Points of a span of time, as many as fit into memory, with a hash of each."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch_parts import part_of
from vumeter_server.custom_metrics.exact_sums import ExactSums
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.questions import ExportQuery
from vumeter_server.custom_metrics.store import MetricStore
from vumeter_server.store_migration.point_hashes import Hashes, hash_points

POINTS_AT_ONCE: Final = 200_000

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricTotal:
    """How many points a metric has, and their exact sum."""

    points: int = 0
    total: float = 0.0


@dataclass(kw_only=True, slots=True, eq=False)
class Window:
    """All points with start_us <= time < end_us, in the order of an export.

    Attributes:
        batches: the points.
        names: the names of their metrics, each once.
        metrics: index into `names` of each point.
        hashes: the hash of each point.
    """

    start_us: int
    end_us: int
    batches: list[Batch]
    names: list[str] = field(init=False)
    metrics: Integers = field(init=False)
    hashes: Hashes = field(init=False)

    def __post_init__(self) -> None:
        numbers: dict[str, int] = {}
        of_points: list[Integers] = [np.empty(0, np.int64)]
        for batch in self.batches:
            codes = [numbers.setdefault(name, len(numbers)) for name in batch.names]
            of_points.append(np.array(codes, np.int64)[batch.name_indexes])
        self.names, self.metrics = list(numbers), np.concatenate(of_points)
        places = self._places()
        self.hashes = np.empty(len(self.metrics), np.uint64)
        start = 0
        for batch in self.batches:
            stop = start + len(batch)
            self.hashes[start:stop] = hash_points(batch, places[start:stop])
            start = stop

    def __len__(self) -> int:
        return len(self.metrics)

    def names_of(self, chosen: npt.NDArray[np.bool_]) -> set[str]:
        """Return the metrics of some points."""
        return {self.names[code] for code in np.unique(self.metrics[chosen]).tolist()}

    def totals(self) -> dict[str, MetricTotal]:
        """Return what each metric adds up to."""
        sums = ExactSums.zeros(len(self.names))
        start = 0
        for batch in self.batches:
            stop = start + len(batch)
            sums.add(self.metrics[start:stop], batch.values)
            start = stop
        return {
            name: MetricTotal(points=points, total=total)
            for name, points, total in zip(
                self.names, sums.counts.tolist(), sums.totals().tolist(), strict=True
            )
        }

    def _places(self) -> Integers:
        """Return which each point is of those of its metric and time; these come together."""
        points = len(self.metrics)
        if not points:
            return np.empty(0, np.int64)
        times_us = np.concatenate([batch.times_us for batch in self.batches])
        begins = np.ones(points, np.bool_)
        begins[1:] = (np.diff(times_us) != 0) | (np.diff(self.metrics) != 0)
        numbers = np.arange(points)
        return numbers - np.maximum.accumulate(np.where(begins, numbers, 0))


async def windows(
    store: MetricStore,
    organization_id: int,
    start_us: int,
    end_us: int,
    *,
    points_at_once: int = POINTS_AT_ONCE,
) -> AsyncGenerator[Window, None]:
    """Yield all points of a range in windows that follow each other; at least one window.

    Points of one time are in one window.
    """
    query = ExportQuery(start_us=start_us, end_us=end_us)
    held: list[Batch] = []
    begin_us = start_us
    async with contextlib.aclosing(store.export_points(organization_id, query)) as exported:
        async for points in exported:
            batch = points.batch
            last_us = int(batch.times_us[-1])
            if sum(map(len, held)) + len(batch) < points_at_once or last_us == _first(held, batch):
                held.append(batch)
                continue
            # The last time may go on in the next batch.
            whole, rest = _divided([*held, batch], last_us)
            yield Window(start_us=begin_us, end_us=last_us, batches=whole)
            held, begin_us = rest, last_us
    yield Window(start_us=begin_us, end_us=end_us, batches=held)


async def read_window(
    store: MetricStore, organization_id: int, start_us: int, end_us: int
) -> Window:
    """Return all points of a range."""
    query = ExportQuery(start_us=start_us, end_us=end_us)
    async with contextlib.aclosing(store.export_points(organization_id, query)) as exported:
        batches = [points.batch async for points in exported]
    return Window(start_us=start_us, end_us=end_us, batches=batches)


def _first(held: Sequence[Batch], batch: Batch) -> int:
    return int((held[0] if held else batch).times_us[0])


def _divided(batches: Sequence[Batch], at_us: int) -> tuple[list[Batch], list[Batch]]:
    """Return the points before a time, and the others."""
    before, behind = [], []
    for batch in batches:
        place = int(np.searchsorted(batch.times_us, at_us))
        if place:
            before.append(part_of(batch, 0, place))
        if place < len(batch):
            behind.append(part_of(batch, place, len(batch)))
    return before, behind
