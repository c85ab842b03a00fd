"""Recorded points: the rules that a batch alone is held to before anything is stored.

Both APIs bring points as columns, and `validate` makes a batch of them. What depends on the metrics
that an organization already has is checked by `settle`, in the transaction that stores the batch.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distribution_rules import read_distributions
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.label_sets import (
    KnownLabelSets,
    check_id,
    check_ids,
    check_tags,
    note_wrong,
)
from vumeter_server.custom_metrics.labels import MAX_METRIC_NAME, is_metric_name
from vumeter_server.custom_metrics.model import ABSENT_TIME, Batch, MetricType, Settled
from vumeter_server.custom_metrics.violations import Findings
from vumeter_server.errors import MAX_VIOLATIONS, InvalidArgument, Violation
from vumeter_server.times.rfc3339 import TIMESTAMP_PROBLEM, read_rfc3339
from vumeter_server.times.units import MINUTE_US

MAX_POINTS: Final = 10_000
MAX_VALUE: Final = 1e15
MAX_IDEMPOTENCY_KEY: Final = 128
MAX_AHEAD_US: Final = 10 * MINUTE_US
AHEAD_PROBLEM: Final = "must be at most 10 minutes ahead of the server"

TYPE_CODES: Final[Mapping[str, int]] = {each.name.lower(): int(each) for each in MetricType}
UNKNOWN_TYPE: Final = -1
NAME_PROBLEM: Final = (
    f"must match [a-zA-Z_][a-zA-Z0-9_.:]* and have at most {MAX_METRIC_NAME} characters"
)
TYPE_PROBLEM: Final = "must be counter, gauge or histogram"
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True, slots=True)
class UncheckedPoints:
    """The points of a call, unchecked, one column per attribute.

    Attributes:
        names: the metrics' names.
        types: numbers of MetricType, 0 where none is given, others for what is no type.
        values: what was counted or measured; None where none is given.
        timestamps: microseconds since the epoch, or RFC 3339 text that `validate` reads; None where
            none is given.
        session_ids: the sessions; "" for none.
        distributions: the distributions that points have in the place of a value, by index.
        label_keys: what the API knows each point's labels by.
        label_sets: finds label sets by these keys.
    """

    names: Sequence[str]
    types: Sequence[int]
    values: Sequence[float | None]
    timestamps: Sequence[int | str | None]
    session_ids: Sequence[str]
    label_keys: Sequence[Hashable]
    label_sets: KnownLabelSets[Any]
    distributions: Mapping[int, GivenDistribution] = field(default_factory=dict)


def validate(columns: UncheckedPoints, now_us: int) -> Batch:
    """Check the points of a call; an empty call is a batch without points.

    Raises InvalidArgument with up to ten violations that name `points[3].value` and the like.
    """
    if len(columns.names) > MAX_POINTS:
        raise InvalidArgument.of("points", f"must be at most {MAX_POINTS:,} a call")
    findings = Findings()
    _check_names(columns.names, findings)
    types = np.array(columns.types, np.int64)
    _check_types(types, findings)
    values = _read_values(columns, types, findings)
    distributions = read_distributions(columns.distributions, types, values, findings)
    times_us = _read_timestamps(columns.timestamps, now_us, findings)
    keys, label_set_indexes = _number(columns.label_keys)
    label_sets = columns.label_sets.find(keys)
    if None in label_sets:
        note_wrong(columns.label_sets, columns.label_keys, check_ids, findings)
    sessions, session_indexes = _number(columns.session_ids)
    _check_sessions(sessions, columns.session_ids, findings)
    if None in label_sets:
        note_wrong(columns.label_sets, columns.label_keys, check_tags, findings)
    findings.raise_any()
    if "" in sessions:
        sessions, session_indexes = _without_empty(sessions, session_indexes)
    names, name_indexes = _number(columns.names)
    return Batch(
        names=names,
        name_indexes=name_indexes,
        types=types.astype(np.uint8),
        values=values,
        times_us=times_us,
        label_sets=[each for each in label_sets if each is not None],
        label_set_indexes=label_set_indexes,
        sessions=sessions,
        session_indexes=session_indexes,
        distributions=distributions,
    )


def _number(items: Sequence[K]) -> tuple[list[K], npt.NDArray[np.int32]]:
    """Return the distinct items in order of first use, and the index of each."""
    numbers: dict[K, int] = {}
    for item in items:
        if item not in numbers:
            numbers[item] = len(numbers)
    indexes = np.fromiter(map(numbers.__getitem__, items), np.int32, len(items))
    return list(numbers), indexes


def _without_empty(
    texts: list[str], indexes: npt.NDArray[np.int32]
) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Take "" out of numbered texts: its index becomes -1."""
    empty = texts.index("")
    renumbered = np.arange(len(texts), dtype=np.int32)
    renumbered[empty:] -= 1
    renumbered[empty] = -1
    return texts[:empty] + texts[empty + 1 :], renumbered[indexes]


def check_idempotency_key(key: str | None, field: str = "idempotency_key") -> str | None:
    """Return the key of a call, None if absent or ""; at most 128 characters."""
    if not key:
        return None
    if len(key) > MAX_IDEMPOTENCY_KEY:
        raise InvalidArgument.of(field, f"must have at most {MAX_IDEMPOTENCY_KEY} characters")
    return key


def _check_names(names: Sequence[str], findings: Findings) -> None:
    wrong = {name for name in set(names) if not is_metric_name(name)}
    if wrong:
        findings.add_each(
            (index for index, name in enumerate(names) if name in wrong),
            "name",
            NAME_PROBLEM,
        )


def _check_types(types: npt.NDArray[np.int64], findings: Findings) -> None:
    wrong = ~np.isin(types, (0, *MetricType))
    findings.add_each(np.flatnonzero(wrong).tolist(), "type", TYPE_PROBLEM)


def _read_values(
    columns: UncheckedPoints, types: npt.NDArray[np.int64], findings: Findings
) -> npt.NDArray[np.float64]:
    """Return the values, NaN for None, which is the same in an array."""
    # Adding 0.0 turns -0.0 into 0.0.
    values = np.array(columns.values, np.float64) + 0.0
    # Written so that NaN, which compares as false, is among them.
    unusual = ~((values >= 0) & (values <= MAX_VALUE))
    for index in np.flatnonzero(unusual).tolist():
        value, of_type = columns.values[index], types[index]
        if index in columns.distributions:
            continue
        if value is None:
            if of_type in (MetricType.GAUGE, MetricType.HISTOGRAM):
                name = MetricType(of_type).name.lower()
                findings.add(index, "value", f"must be given for a {name}")
        elif not abs(value) < float("inf"):
            findings.add(index, "value", "must be a finite number")
        elif abs(value) > MAX_VALUE:
            findings.add(index, "value", "must be from -1e15 to 1e15")
        elif of_type == MetricType.COUNTER:
            findings.add(index, "value", "must not be negative for a counter")
    return values


def _read_timestamps(
    timestamps: Sequence[int | str | None], now_us: int, findings: Findings
) -> npt.NDArray[np.int64]:
    last_us = now_us + MAX_AHEAD_US
    read = [read_rfc3339(each) if isinstance(each, str) else each for each in timestamps]
    for index, instant in enumerate(read):
        if instant is None:
            if timestamps[index] is not None:
                findings.add(index, "timestamp", TIMESTAMP_PROBLEM)
        elif instant < 0:
            findings.add(index, "timestamp", "must not be before 1970")
        elif instant > last_us:
            findings.add(index, "timestamp", AHEAD_PROBLEM)
    return np.array([ABSENT_TIME if each is None else each for each in read], np.int64)


def _check_sessions(sessions: Sequence[str], of_points: Sequence[str], findings: Findings) -> None:
    wrong = Findings()
    for index, session in enumerate(sessions):
        check_id(session, index, "session_id", wrong)
    if wrong:
        for index, session in enumerate(of_points):
            check_id(session, index, "session_id", findings)


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
    is_distribution = np.zeros(len(batch), np.bool_)
    if batch.distributions is not None:
        is_distribution[batch.distributions.positions] = True
    wrong_distribution = is_distribution & (own_types != MetricType.HISTOGRAM)
    wrong_type = (batch.types != 0) & (batch.types != own_types)
    wrong_value = (is_absent & ~is_counter) | (is_counter & (batch.values < 0) & ~is_distribution)
    if wrong_type.any() or wrong_value.any() or wrong_distribution.any():
        raise InvalidArgument(
            violations=_violations(
                own_types, wrong_type, wrong_value, wrong_distribution, is_absent, new_types, batch
            )
        )
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
    wrong_distribution: npt.NDArray[np.bool_],
    is_absent: npt.NDArray[np.bool_],
    new_types: Mapping[str, MetricType],
    batch: Batch,
) -> list[Violation]:
    violations = []
    wrong = wrong_type | wrong_value | wrong_distribution
    for index in np.flatnonzero(wrong)[:MAX_VIOLATIONS].tolist():
        own_type = MetricType(own_types[index]).name.lower()
        if wrong_type[index]:
            field, problem = "type", f"must be {own_type}, as this metric was first recorded"
        elif wrong_distribution[index]:
            is_new = batch.names[batch.name_indexes[index]] in new_types
            field, problem = "distribution", f"must not be given for a {own_type}"
            if is_new:
                field, problem = "type", "must be given with a distribution of a new metric"
        elif is_absent[index]:
            field, problem = "value", f"must be given for a {own_type}"
        else:
            field, problem = "value", "must not be negative for a counter"
        violations.append(Violation(field=f"points[{index}].{field}", problem=problem))
    return violations
