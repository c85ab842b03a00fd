"""The points that a query computes functions of, each with its bucket and its group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions, joined
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.query.point_columns import PointColumns

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GatheredPoints:
    """The points of one metric that match, in the order of recording where times are equal.

    Attributes:
        buckets: integer[points]; those of 16 bits cannot be calculated with.
        groups: integer[points].
        values: float64[points]; zeros if no function asks for them.
        times_us: int64[points]; None if no function asks for the last value.
        sessions: int64[points], -1 for none; None if no function asks for sessions.
        distributions: those of the points that are distributions; None if there are none.
    """

    buckets: Array
    groups: Integers
    values: Floats
    times_us: Integers | None
    sessions: Integers | None
    distributions: Distributions | None = None

    def taken(self, chosen: Integers) -> GatheredPoints:
        """Return some of the points."""
        return GatheredPoints(
            buckets=self.buckets[chosen],
            groups=self.groups[chosen],
            values=self.values[chosen],
            times_us=None if self.times_us is None else self.times_us[chosen],
            sessions=None if self.sessions is None else self.sessions[chosen],
            distributions=self.distributions and self.distributions.taken(chosen, len(self.values)),
        )


def bucket_of(points: PointColumns, bounds_us: Integers) -> Array | int:
    """Return the bucket of each point, or of all.

    `bounds_us` are the instants between which the buckets are, in ascending order.
    """
    first, last = (int(each) - 1 for each in bounds_us.searchsorted(points.bounds_us, "right"))
    if first == last or points.times_us is None:
        return min(max(first, 0), len(bounds_us) - 2)
    return _buckets_at(points.times_us, bounds_us)


def _buckets_at(times_us: Array, bounds_us: Integers, dtype: type[np.integer] = np.int64) -> Array:
    """Return the bucket of each instant, all of which are in one."""
    is_ascending = len(bounds_us) < len(times_us) and (times_us[1:] >= times_us[:-1]).all()
    if not is_ascending:
        buckets: Array = bounds_us.searchsorted(times_us, "right") - 1
        return buckets.astype(dtype, copy=False)
    # Flushed points are in the order of time: as many instants are searched for as there are
    # buckets, and not as there are points.
    ends = times_us.searchsorted(bounds_us[1:-1])
    lengths = np.diff(ends, prepend=0, append=len(times_us))
    return np.arange(len(lengths), dtype=dtype).repeat(lengths)


def gather(
    found: Iterable[PointColumns],
    bounds_us: Integers,
    group_of: Callable[[PointColumns], Array | int],
    *,
    with_values: bool = True,
    with_times: bool = False,
    with_sessions: bool = False,
) -> GatheredPoints:
    """Join points of buckets, with the columns that functions ask for."""
    each = list(found)
    counts = [len(points) for points in each]
    times_us, sessions = None, None
    if each and all(points.times_us is not None for points in each):
        times_us = _concatenated(
            [points.times_us for points in each if points.times_us is not None]
        )
        buckets = _buckets_at(times_us, bounds_us, narrowest(len(bounds_us)))
    else:
        of_each = [bucket_of(points, bounds_us) for points in each]
        buckets = _joined(of_each, counts, narrowest(len(bounds_us)))
    if with_times and times_us is None:
        times_us = np.empty(0, np.int64)
    if with_sessions:
        known = [points.sessions for points in each if points.sessions is not None]
        sessions = _concatenated(known) if known else np.empty(0, np.int64)
    return GatheredPoints(
        buckets=buckets,
        groups=_joined([group_of(points) for points in each], counts, np.int64),
        values=_joined(
            [points.values if with_values else 0 for points in each], counts, np.float64
        ),
        times_us=times_us if with_times else None,
        sessions=sessions,
        distributions=joined(
            [(points.distributions, count) for points, count in zip(each, counts, strict=True)]
        ),
    )


def narrowest(space: int) -> type[np.integer]:
    """Return a type of numbers from 0 to `space` - 1; narrow ones are copied and sorted faster."""
    return np.uint16 if space <= 1 << 16 else np.int64


def _concatenated(arrays: Sequence[Array]) -> Array:
    """Return arrays one after another; one alone without a copy."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _joined(parts: Sequence[Array | int], counts: Sequence[int], dtype: type[Any]) -> Array:
    """Return one column of parts, each an array or a number that stands for as many as counted.

    If all are one number it takes no room.
    """
    if len(parts) == 1 and isinstance(parts[0], np.ndarray):
        # Indexes may be of any width.
        is_of_kind = parts[0].dtype.kind == np.dtype(dtype).kind
        return parts[0] if is_of_kind else parts[0].astype(dtype)
    size = sum(counts)
    numbers = {part for part in parts if isinstance(part, int)}
    if len(numbers) == 1 and all(isinstance(part, int) for part in parts):
        return np.broadcast_to(dtype(numbers.pop()), size)
    column: Array = np.empty(size, dtype)
    end = 0
    for part, count in zip(parts, counts, strict=True):
        begin, end = end, end + count
        column[begin:end] = part
    return column
