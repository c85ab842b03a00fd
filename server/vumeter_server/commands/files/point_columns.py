"""The columns of `wire.EXPORTED` as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics import varints

Numbers = npt.NDArray[np.integer]


def count(columns: Any) -> int:
    """Return how many points there are."""
    return len(columns.values) // 8


def values(columns: Any) -> npt.NDArray[np.float64]:
    """Return the values; those of distributions mean nothing."""
    return np.frombuffer(columns.values, "<f8")


def times_us(columns: Any) -> Numbers:
    """Return the times in microseconds since the epoch."""
    return varints.decode(columns.times_us)


def names(columns: Any) -> Numbers:
    """Return the index of each point's name."""
    return varints.decode(columns.name_indexes)


def label_sets(columns: Any) -> Numbers:
    """Return the index of each point's label set."""
    return varints.decode(columns.label_set_indexes)


def sessions(columns: Any) -> Numbers:
    """Return the index of each point's session plus 1, 0 for none."""
    if not columns.session_indexes:
        return np.zeros(count(columns), np.int64)
    return varints.decode(columns.session_indexes)


def distributions(columns: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the index of each point that is a distribution, and what that has.

    A smallest or greatest value may not be known.
    """
    for index, message in zip(columns.distribution_indexes, columns.distributions, strict=True):
        found: dict[str, Any] = {"count": message.count, "sum": message.sum}
        for name in ("min", "max"):
            if message.HasField(name):
                found[name] = getattr(message, name)
        for name in ("bounds", "bucket_counts"):
            if repeated := getattr(message, name)[:]:
                found[name] = repeated
        yield index, found
