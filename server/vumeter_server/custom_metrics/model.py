"""A batch of points as columns: what both faces make of a recording, and what stores take."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.errors import MAX_VIOLATIONS, InvalidArgument, Violation

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
    """Points in the order in which they were given; every array has one element a point.

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
    """A batch whose types and values are decided; `new_types` are of metrics not known before."""

    batch: Batch
    values: npt.NDArray[np.float64]
    times_us: npt.NDArray[np.int64]
    new_types: dict[str, MetricType]


def settle(batch: Batch, known: Mapping[str, MetricType], now_us: int) -> Settled:
    """Fill in the defaults that depend on each metric's type.

    `known` holds the types of the organization's metrics. A metric keeps the type of its first
    point; without one it is a counter. Raises InvalidArgument that names `points[i].type` for
    another type, and `points[i].value` for a missing value of a gauge or histogram or a negative
    value of a counter.
    """
    first_points = np.full(len(batch.names), -1, np.int64)
    indexes, first = np.unique(batch.name_indexes, return_index=True)
    first_points[indexes] = first
    new_types: dict[str, MetricType] = {}
    metric_types = np.zeros(len(batch.names), np.uint8)
    for index in np.argsort(first_points).tolist():
        name = batch.names[index]
        known_type = known.get(name) or new_types.get(name)
        if known_type is None:
            known_type = MetricType(batch.types[first_points[index]] or MetricType.COUNTER)
            new_types[name] = known_type
        metric_types[index] = known_type
    own_types = metric_types[batch.name_indexes]
    is_counter = own_types == MetricType.COUNTER
    is_absent = np.isnan(batch.values)
    wrong_type = (batch.types != 0) & (batch.types != own_types)
    wrong_value = (is_absent & ~is_counter) | (is_counter & (batch.values < 0))
    if wrong_type.any() or wrong_value.any():
        raise InvalidArgument(violations=_violations(own_types, wrong_type, wrong_value, is_absent))
    return Settled(
        batch=batch,
        values=np.where(is_absent, 1.0, batch.values),
        times_us=np.where(batch.times_us == ABSENT_TIME, now_us, batch.times_us),
        new_types=new_types,
    )


def _violations(
    own_types: npt.NDArray[np.uint8],
    wrong_type: npt.NDArray[np.bool_],
    wrong_value: npt.NDArray[np.bool_],
    is_absent: npt.NDArray[np.bool_],
) -> list[Violation]:
    violations = []
    for index in np.flatnonzero(wrong_type | wrong_value)[:MAX_VIOLATIONS].tolist():
        own_type = MetricType(own_types[index]).name.lower()
        if wrong_type[index]:
            field, problem = "type", f"must be {own_type}, as this metric was first recorded"
        elif is_absent[index]:
            field, problem = "value", f"must be given for a {own_type}"
        else:
            field, problem = "value", "must not be negative for a counter"
        violations.append(Violation(field=f"points[{index}].{field}", problem=problem))
    return violations
