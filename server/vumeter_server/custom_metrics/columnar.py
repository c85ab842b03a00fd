"""Recorded points that come as columns: the same rules as in `points`, checked array by array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch import ABSENT_TIME, Batch, LabelSet, MetricType
from vumeter_server.custom_metrics.findings import Findings
from vumeter_server.custom_metrics.labels import MAX_ID, is_metric_name
from vumeter_server.custom_metrics.points import (
    MAX_AHEAD_US,
    MAX_POINTS,
    MAX_VALUE,
    NAME_PROBLEM,
    check_labels,
    is_unicode,
    with_ids,
)
from vumeter_server.errors import InvalidArgument

H = TypeVar("H", str, LabelSet)
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The labels of some points as a caller gives them; "" is an id that was not given."""

    agent_id: str
    environment_id: str
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """A batch as a caller gives it, unchecked: see PointColumns of the proto.

    `types` are numbers of MetricType, 0 where none is given. The indexes of sessions are one more
    than the position, 0 for none.
    """

    names: Sequence[str]
    types: Sequence[int]
    name_indexes: Sequence[int]
    values: Sequence[float]
    times_us: Sequence[int]
    label_sets: Sequence[Labels]
    label_set_indexes: Sequence[int]
    sessions: Sequence[str]
    session_indexes: Sequence[int]


def validate_columns(columns: Columns, now_us: int) -> Batch:
    """Check a batch of columns; it equals the batch of the same points given one by one.

    Raises InvalidArgument with up to ten violations that name `columns.values[3]` and the like.
    """
    name_indexes = np.array(columns.name_indexes, np.int64)
    count = len(name_indexes)
    if count > MAX_POINTS:
        raise InvalidArgument.of("columns.name_indexes", f"must be at most {MAX_POINTS:,} a call")
    values = _column(columns.values, np.float64, count, "values", np.nan)
    times_us = _column(columns.times_us, np.int64, count, "times_us", ABSENT_TIME)
    label_set_indexes = _column(columns.label_set_indexes, np.int64, count, "label_set_indexes", 0)
    session_indexes = _column(columns.session_indexes, np.int64, count, "session_indexes", 0)
    _check_indexes(name_indexes, len(columns.names), "name_indexes", "names")
    types = _types(columns)
    _check_names(columns.names)
    if columns.label_set_indexes:
        label_sets = _label_sets(columns.label_sets)
        _check_indexes(label_set_indexes, len(label_sets), "label_set_indexes", "label_sets")
    else:
        label_sets = [()]
    _check_sessions(columns.sessions)
    _check_indexes(session_indexes, len(columns.sessions) + 1, "session_indexes", "sessions")
    if columns.values:
        _check_values(values, types[name_indexes])
    if columns.times_us:
        _check_times(times_us, now_us)
    names, name_indexes = _by_first_use(columns.names, name_indexes)
    types_of_points = types[np.array(columns.name_indexes, np.int64)]
    label_sets, label_set_indexes = _by_first_use(label_sets, label_set_indexes)
    sessions, numbered = _by_first_use(["", *columns.sessions], session_indexes)
    if "" in sessions:
        none = sessions.index("")
        del sessions[none]
        numbered = np.where(numbered == none, -1, numbered - (numbered > none))
    return Batch(
        names=names,
        name_indexes=name_indexes.astype(np.int32),
        types=types_of_points.astype(np.uint8),
        values=values + 0.0,
        times_us=times_us,
        label_sets=label_sets,
        label_set_indexes=label_set_indexes.astype(np.int32),
        sessions=sessions,
        session_indexes=numbered.astype(np.int32),
    )


def _column(
    given: Sequence[float], dtype: npt.DTypeLike, count: int, field: str, absent: float
) -> npt.NDArray[Any]:
    if not len(given):
        return np.full(count, absent, dtype)
    if len(given) != count:
        raise InvalidArgument.of(
            f"columns.{field}", "must have one element a point, as name_indexes has, or none"
        )
    return np.array(given, dtype)


def _check_indexes(indexes: Integers, count: int, field: str, of: str) -> None:
    _refuse(indexes >= count, f"columns.{field}", f"must be an index into {of}")


def _check_values(values: npt.NDArray[np.float64], types: Integers) -> None:
    _refuse(~np.isfinite(values), "columns.values", "must be a finite number")
    _refuse(np.abs(values) > MAX_VALUE, "columns.values", "must be from -1e15 to 1e15")
    wrong = (values < 0) & (types == MetricType.COUNTER)
    _refuse(wrong, "columns.values", "must not be negative for a counter")


def _check_times(times_us: Integers, now_us: int) -> None:
    _refuse(times_us < 0, "columns.times_us", "must not be before 1970")
    problem = "must be at most 10 minutes ahead of the server"
    _refuse(times_us > now_us + MAX_AHEAD_US, "columns.times_us", problem)


def _refuse(wrong: npt.NDArray[np.bool_], field: str, problem: str) -> None:
    if wrong.any():
        findings = Findings(field)
        findings.add_each(np.flatnonzero(wrong).tolist(), "", problem)
        findings.raise_any()


def _types(columns: Columns) -> Integers:
    if len(columns.types) not in (0, len(columns.names)):
        raise InvalidArgument.of("columns.types", "must have one element a name, or none")
    types = _column(columns.types, np.int64, len(columns.names), "types", 0).astype(np.int64)
    known = np.isin(types, (0, *MetricType))
    _refuse(~known, "columns.types", "must be counter, gauge or histogram")
    return types


def _check_names(names: Sequence[str]) -> None:
    wrong = np.array([not is_metric_name(name) for name in names], np.bool_)
    _refuse(wrong, "columns.names", NAME_PROBLEM)


def _check_sessions(sessions: Sequence[str]) -> None:
    wrong = np.array(
        [not each or len(each) > MAX_ID or not is_unicode(each) for each in sessions], np.bool_
    )
    _refuse(wrong, "columns.sessions", f"must be text of 1 to {MAX_ID} characters")


def _label_sets(given: Sequence[Labels]) -> list[LabelSet]:
    findings = Findings("columns.label_sets")
    checked_names: set[str] = set()
    label_sets: list[LabelSet] = []
    for index, labels in enumerate(given):
        for attribute in ("agent_id", "environment_id"):
            text = getattr(labels, attribute)
            if len(text) > MAX_ID or not is_unicode(text):
                findings.add(index, attribute, f"must be text of at most {MAX_ID} characters")
        pairs = tuple(labels.tags.items())
        check_labels(pairs, index, checked_names, findings)
        tags = tuple(sorted(pair for pair in pairs if pair[1]))
        label_sets.append(with_ids(labels.agent_id, labels.environment_id, tags))
    findings.raise_any()
    return label_sets


def _by_first_use(items: Sequence[H], indexes: Integers) -> tuple[list[H], Integers]:
    """Leave out repeated and unused items, and number the others in the order of their use."""
    numbers: dict[H, int] = {}
    used, first = np.unique(indexes, return_index=True)
    renumbered = np.zeros(len(items), np.int64)
    for index in used[np.argsort(first)].tolist():
        renumbered[index] = numbers.setdefault(items[index], len(numbers))
    return list(numbers), renumbered[indexes]
