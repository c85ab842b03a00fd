"""Recorded points that come as columns: the rules of `validation`, checked array by array."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch_parts import used_items
from vumeter_server.custom_metrics.distribution_rules import read_distributions
from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.given_distributions import GivenDistribution
from vumeter_server.custom_metrics.label_sets import (
    KnownLabelSets,
    check_ids,
    check_tags,
    is_unicode,
    note_wrong,
)
from vumeter_server.custom_metrics.labels import MAX_ID, is_metric_name
from vumeter_server.custom_metrics.model import ABSENT_TIME, Batch, LabelSet, MetricType
from vumeter_server.custom_metrics.validation import (
    AHEAD_PROBLEM,
    MAX_AHEAD_US,
    MAX_POINTS,
    MAX_VALUE,
    NAME_PROBLEM,
    TYPE_PROBLEM,
)
from vumeter_server.custom_metrics.violations import Findings
from vumeter_server.errors import InvalidArgument

H = TypeVar("H", str, LabelSet)
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class UncheckedColumns:
    """A batch as a caller gives it, unchecked: see PointColumns of the proto.

    `types` are numbers of MetricType, 0 where none is given. The indexes of sessions are one more
    than the position, 0 for none. `label_keys` are what the API knows the label sets by, and
    `label_sets` finds them. `distribution_indexes` are those of the points that are distributions.
    """

    names: Sequence[str]
    types: Sequence[int]
    name_indexes: Sequence[int]
    values: Sequence[float]
    times_us: Sequence[int]
    label_keys: Sequence[Hashable]
    label_sets: KnownLabelSets[Any]
    label_set_indexes: Sequence[int]
    sessions: Sequence[str]
    session_indexes: Sequence[int]
    distribution_indexes: Sequence[int] = ()
    distributions: Sequence[GivenDistribution] = ()


def validate_columns(columns: UncheckedColumns, now_us: int) -> Batch:
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
    if len(columns.label_set_indexes):
        label_sets = _label_sets(columns)
        _check_indexes(label_set_indexes, len(label_sets), "label_set_indexes", "label_sets")
    else:
        label_sets = [()]
    _check_sessions(columns.sessions)
    _check_indexes(session_indexes, len(columns.sessions) + 1, "session_indexes", "sessions")
    types_of_points = types[name_indexes]
    distributions = _distributions(columns, values, types_of_points)
    if len(columns.values):
        _check_values(values, types_of_points)
    if len(columns.times_us):
        _check_times(times_us, now_us)
    names, name_indexes = used_items(list(columns.names), name_indexes)
    label_sets, label_set_indexes = used_items(label_sets, label_set_indexes)
    # One less than given, so that -1 is none.
    sessions, session_indexes = used_items(list(columns.sessions), session_indexes - 1)
    return Batch(
        names=names,
        name_indexes=name_indexes.astype(np.int32),
        types=types_of_points.astype(np.uint8),
        values=values + 0.0,
        times_us=times_us,
        label_sets=label_sets,
        label_set_indexes=label_set_indexes.astype(np.int32),
        sessions=sessions,
        session_indexes=session_indexes.astype(np.int32),
        distributions=distributions,
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
    _reject(indexes >= count, f"columns.{field}", f"must be an index into {of}")


def _check_values(values: npt.NDArray[np.float64], types: Integers) -> None:
    _reject(~np.isfinite(values), "columns.values", "must be a finite number")
    _reject(np.abs(values) > MAX_VALUE, "columns.values", "must be from -1e15 to 1e15")
    wrong = (values < 0) & (types == MetricType.COUNTER)
    _reject(wrong, "columns.values", "must not be negative for a counter")


def _distributions(
    columns: UncheckedColumns, values: npt.NDArray[np.float64], types: Integers
) -> Distributions | None:
    """Check the distributions; their sums become values of the points."""
    indexes = np.array(columns.distribution_indexes, np.int64)
    if len(indexes) != len(columns.distributions):
        raise InvalidArgument.of(
            "columns.distributions", "must be one for each of distribution_indexes"
        )
    if not len(indexes):
        return None
    _check_indexes(indexes, len(values), "distribution_indexes", "the points")
    falls = np.append(False, indexes[1:] <= indexes[:-1])
    _reject(falls, "columns.distribution_indexes", "must ascend")
    findings = Findings("columns.distributions")
    given = dict(zip(indexes.tolist(), columns.distributions, strict=True))
    distributions = read_distributions(given, types, values, findings, attribute="")
    findings.raise_any()
    return distributions


def _check_times(times_us: Integers, now_us: int) -> None:
    _reject(times_us < 0, "columns.times_us", "must not be before 1970")
    _reject(times_us > now_us + MAX_AHEAD_US, "columns.times_us", AHEAD_PROBLEM)


def _reject(wrong: npt.NDArray[np.bool_], field: str, problem: str) -> None:
    if wrong.any():
        findings = Findings(field)
        findings.add_each(np.flatnonzero(wrong).tolist(), "", problem)
        findings.raise_any()


def _types(columns: UncheckedColumns) -> Integers:
    if len(columns.types) not in (0, len(columns.names)):
        raise InvalidArgument.of("columns.types", "must have one element a name, or none")
    types = _column(columns.types, np.int64, len(columns.names), "types", 0).astype(np.int64)
    known = np.isin(types, (0, *MetricType))
    _reject(~known, "columns.types", TYPE_PROBLEM)
    return types


def _check_names(names: Sequence[str]) -> None:
    wrong = np.array([not is_metric_name(name) for name in names], np.bool_)
    _reject(wrong, "columns.names", NAME_PROBLEM)


def _check_sessions(sessions: Sequence[str]) -> None:
    wrong = np.array(
        [not each or len(each) > MAX_ID or not is_unicode(each) for each in sessions], np.bool_
    )
    _reject(wrong, "columns.sessions", f"must be text of 1 to {MAX_ID} characters")


def _label_sets(columns: UncheckedColumns) -> list[LabelSet]:
    found = columns.label_sets.find(columns.label_keys)
    if None in found:
        findings = Findings("columns.label_sets")
        for check in (check_ids, check_tags):
            note_wrong(columns.label_sets, columns.label_keys, check, findings)
        findings.raise_any()
    return [each for each in found if each is not None]
