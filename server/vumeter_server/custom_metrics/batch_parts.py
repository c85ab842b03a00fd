"""Some points of a batch, as a batch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.model import Batch

T = TypeVar("T")
Integers = TypeVar("Integers", npt.NDArray[np.int32], npt.NDArray[np.int64])


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
    names, name_indexes = used_items(batch.names, batch.name_indexes[chosen])
    label_sets, label_set_indexes = used_items(batch.label_sets, batch.label_set_indexes[chosen])
    sessions, session_indexes = used_items(batch.sessions, batch.session_indexes[chosen])
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


def used_items(items: Sequence[T], indexes: Integers) -> tuple[list[T], Integers]:
    """Return the items that an index is of, and indexes into these; -1 stays what it is."""
    is_used = np.zeros(len(items) + 1, np.bool_)
    is_used[indexes] = True
    # Where -1, for none, is an index.
    is_used = is_used[:-1]
    if is_used.all():
        return list(items), indexes
    renumbered = np.append(np.cumsum(is_used) - 1, -1).astype(indexes.dtype)
    return list(itertools.compress(items, is_used.tolist())), renumbered[indexes]
