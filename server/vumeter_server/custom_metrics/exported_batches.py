"""The batch that is stored of an exported one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.bucket_columns import collect
from vumeter_server.custom_metrics.exported import ExportedBatch
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.model import Batch


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

    def batch(self, given: ExportedBatch) -> Batch:
        """Return the points as they are stored; `given` is what they are of."""
        numbers = np.array(self.numbers, np.int64)
        used, of_metrics = np.unique(_chosen(given.metric_indexes, numbers), return_inverse=True)
        metrics = [given.metrics[index] for index in used.tolist()]
        names, name_of = _numbered([metric.name for metric in metrics])
        types = np.array([metric.type for metric in metrics], np.uint8)
        used, of_labels = np.unique(_chosen(given.label_set_indexes, numbers), return_inverse=True)
        sessions, session_indexes = _numbered([given.session_ids[each] for each in self.numbers])
        if "" in sessions:
            # Without a session.
            none = sessions.index("")
            session_indexes = np.where(
                session_indexes == none, -1, session_indexes - (session_indexes > none)
            ).astype(np.int32)
            del sessions[none]
        # Without a negative zero.
        values = np.array(self.values, np.float64) + 0.0
        times_us = _chosen(given.times_ns, numbers) // 1_000
        return Batch(
            names=names,
            name_indexes=name_of[of_metrics],
            types=types[of_metrics],
            values=values,
            times_us=times_us,
            label_sets=[given.label_sets[index] for index in used.tolist()],
            label_set_indexes=of_labels.astype(np.int32),
            sessions=sessions,
            session_indexes=session_indexes,
            distributions=collect(self.histograms),
        )


def _numbered(items: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int32]]:
    numbers: dict[str, int] = {}
    for item in items:
        numbers.setdefault(item, len(numbers))
    return list(numbers), np.fromiter(map(numbers.__getitem__, items), np.int32, len(items))


def _chosen(items: list[int], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    chosen: npt.NDArray[np.int64] = np.array(items, np.int64)[numbers]
    return chosen
