"""A batch of points as columns: what both APIs make of a recording, and what stores take."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions

LabelSet = tuple[tuple[str, str], ...]
"""The labels of a point, `agent_id` and `environment_id` among them, sorted by key."""

H = TypeVar("H", str, LabelSet)


class MetricType(IntEnum):
    """What a metric's values mean; the numbers are those of stored files, and no others."""

    COUNTER = 1
    GAUGE = 2
    HISTOGRAM = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Points in the order in which they were given; every array has one element per point.

    Attributes:
        names: metric names. What is said of names, label sets and sessions holds for all three:
            each is of some point, and one may occur twice.
        name_indexes: index into `names`.
        types: MetricType, 0 where absent.
        values: the value, NaN where absent.
        times_us: microseconds since the epoch, ABSENT_TIME where absent.
        label_sets: sets of labels.
        label_set_indexes: index into `label_sets`.
        sessions: session ids.
        session_indexes: index into `sessions`, -1 for no session.
        distributions: those of the points that are distributions, whose values are their sums;
            None if none is.
    """

    names: list[str]
    name_indexes: npt.NDArray[np.int32]
    types: npt.NDArray[np.uint8]
    values: npt.NDArray[np.float64]
    times_us: npt.NDArray[np.int64]
    label_sets: list[LabelSet]
    label_set_indexes: npt.NDArray[np.int32]
    sessions: list[str]
    session_indexes: npt.NDArray[np.int32]
    distributions: Distributions | None = None

    def __len__(self) -> int:
        return len(self.values)

    def digest(self) -> bytes:
        """Hash the content before defaults are filled in: equal for equal points in equal order."""
        hashed = hashlib.sha256()
        names, name_indexes = _in_order_of_use(self.names, self.name_indexes)
        label_sets, label_set_indexes = _in_order_of_use(self.label_sets, self.label_set_indexes)
        sessions, session_indexes = _in_order_of_use(self.sessions, self.session_indexes)
        for texts in (names, sessions, label_sets):
            hashed.update(repr(texts).encode())
        for column in (
            name_indexes,
            self.types,
            self.values,
            self.times_us,
            label_set_indexes,
            session_indexes,
        ):
            hashed.update(column.tobytes())
        if self.distributions is not None:
            for name in Distributions.__slots__:
                hashed.update(getattr(self.distributions, name).tobytes())
        return hashed.digest()


def _in_order_of_use(
    items: Sequence[H], indexes: npt.NDArray[np.int32]
) -> tuple[list[H], npt.NDArray[np.int32]]:
    """Number distinct items by where they are used first; -1 stays what it is."""
    numbers: dict[H, int] = {}
    used, first = np.unique(indexes, return_index=True)
    renumbered = np.full(len(items) + 1, -1, np.int32)
    for index in used[np.argsort(first)].tolist():
        if index >= 0:
            renumbered[index] = numbers.setdefault(items[index], len(numbers))
    return list(numbers), renumbered[indexes]


ABSENT_TIME = -1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """A batch whose types and defaults are fixed; arrays have one element per point.

    `new_types` are those of metrics that the organization did not have.
    """

    batch: Batch
    values: npt.NDArray[np.float64]
    times_us: npt.NDArray[np.int64]
    new_types: dict[str, MetricType]
