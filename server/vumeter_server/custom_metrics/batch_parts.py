"""Some points of a batch, as a batch."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.model import Batch

T = TypeVar("T")


def part_of(batch: Batch, start: int, stop: int) -> Batch:
    """Return points [start, stop) of a batch."""
    distributions = batch.distributions
    return _chosen(batch, slice(start, stop), distributions and distributions.between(start, stop))


def points_of(batch: Batch, chosen: npt.NDArray[np.int64]) -> Batch:
    """Return the points at some indexes, which ascend."""
    if len(chosen) == len(batch):
        return batch
    distributions = batch.distributions
    return _chosen(batch, chosen, distributions and distributions.taken(chosen, len(batch)))


def _chosen(batch: Batch, chosen: Any, distributions: Distributions | None) -> Batch:
    names, name_indexes = _used(batch.names, batch.name_indexes[chosen])
    label_sets, label_set_indexes = _used(batch.label_sets, batch.label_set_indexes[chosen])
    sessions, session_indexes = _used(batch.sessions, batch.session_indexes[chosen])
    return Batch(
        names=names,
        name_indexes=name_indexes,
        types=batch.types[chosen],
        values=batch.values[chosen],
        times_us=batch.times_us[chosen],
        label_sets=label_sets,
        label_set_indexes=label_set_indexes,
        sessions=sessions,
        session_indexes=session_indexes,
        distributions=distributions,
    )


def _used(items: list[T], indexes: npt.NDArray[np.int32]) -> tuple[list[T], npt.NDArray[np.int32]]:
    """Return the items that are used, and indexes into these; -1 stays what it is."""
    used, found = np.unique(indexes, return_inverse=True)
    is_without = bool(len(used)) and int(used[0]) < 0
    renumbered = (found - is_without).astype(np.int32)
    return [items[index] for index in used[is_without:].tolist()], renumbered
