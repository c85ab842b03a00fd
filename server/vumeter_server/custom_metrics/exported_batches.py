"""The batch that is stored of an exported one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch_parts import used_items
from vumeter_server.custom_metrics.bucket_columns import collect
from vumeter_server.custom_metrics.exported import ExportedBatch
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.model import Batch

T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class StoredPoints:
    """The points that are stored.

    Attributes:
        numbers: their numbers in the exported batch.
        values: what is stored of each; the sum of a histogram.
        histograms: those there are, with the index of each in `values`.
    """

    numbers: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    histograms: list[tuple[int, GivenDistribution]] = field(default_factory=list)

    def add(self, number: int, value: float) -> None:
        """Store something of a point."""
        self.numbers.append(number)
        self.values.append(value)

    def add_all(self, numbers: Sequence[int], values: Sequence[float], factor: float) -> None:
        """Store the values of points, multiplied."""
        self.numbers += numbers
        self.values += values if factor == 1.0 else [value * factor for value in values]

    def add_counted(self, numbers: Sequence[int], values: Sequence[float], factor: float) -> None:
        """Do as `add_all`, but store nothing of points that count nothing."""
        if not all(values):
            numbers = [number for number, value in zip(numbers, values, strict=True) if value]
            values = [value for value in values if value]
        self.add_all(numbers, values, factor)

    def batch(self, given: ExportedBatch) -> Batch:
        """Return the points as they are stored; `given` is what they are of."""
        numbers = np.array(self.numbers, np.int64)
        metrics, of_metrics = used_items(given.metrics, _chosen(given.metric_indexes, numbers))
        names, name_of = _numbered([metric.name for metric in metrics])
        types = np.array([metric.type for metric in metrics], np.uint8)
        label_sets, of_labels = used_items(
            given.label_sets, _chosen(given.label_set_indexes, numbers)
        )
        # "" is that of points without one, whose index is -1.
        sessions, session_numbers = _numbered(["", *chosen(given.session_ids, self.numbers)])
        # Without a negative zero.
        values = np.array(self.values, np.float64) + 0.0
        times_us = _chosen(given.times_ns, numbers) // 1_000
        return Batch(
            names=names,
            name_indexes=name_of[of_metrics],
            types=types[of_metrics],
            values=values,
            times_us=times_us,
            label_sets=label_sets,
            label_set_indexes=of_labels.astype(np.int32),
            sessions=sessions[1:],
            session_indexes=session_numbers[1:] - 1,
            distributions=collect(self.histograms),
        )


def chosen(items: list[T], numbers: Sequence[int]) -> list[T]:
    """Return the items of these numbers."""
    if isinstance(numbers, range):
        return items[numbers.start : numbers.stop]
    return [items[number] for number in numbers]


def _numbered(items: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int32]]:
    numbers = dict(zip(dict.fromkeys(items), itertools.count()))
    return list(numbers), np.fromiter(map(numbers.__getitem__, items), np.int32, len(items))


def _chosen(items: list[int], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    chosen: npt.NDArray[np.int64] = np.array(items, np.int64)[numbers]
    return chosen
