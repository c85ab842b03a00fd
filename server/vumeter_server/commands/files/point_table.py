"""Points as a table of Arrow: texts and label sets of many messages are put together once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb

_INDEX: Final = np.int32


def table_of(pyarrow: Any, schema: Any, columns: Sequence[Any], types: Mapping[Any, str]) -> Any:
    """Return the points of several PointColumns, whose label sets are bytes, as one table."""
    names, name_indexes = _together([(each.names, each.name_indexes) for each in columns])
    found = [(each.label_sets, each.label_set_indexes) for each in columns]
    label_sets, label_set_indexes = _together(found)
    sessions, session_indexes = _together(
        [(["", *each.sessions], _indexes_of_sessions(each)) for each in columns]
    )
    type_of = {
        name: types[number]
        for each in columns
        for name, number in zip(each.names, each.types, strict=True)
    }
    read = [pb.LabelSet.FromString(each) for each in label_sets]
    values = np.concatenate([np.array(each.values[:], np.float64) for each in columns])
    distributions = _distributions(pyarrow, schema.field("distribution").type, columns, len(values))
    mask = None if distributions.null_count == len(values) else distributions.is_valid()

    def text(texts: Sequence[str], indexes: npt.NDArray[np.int32]) -> Any:
        # An index at a text that is empty stands for none.
        empty = np.array([not each for each in texts], np.bool_)
        return pyarrow.DictionaryArray.from_arrays(
            pyarrow.array(indexes, pyarrow.int32(), mask=empty[indexes]),
            pyarrow.array(texts, pyarrow.string()),
        )

    tags = pyarrow.array([sorted(each.tags.items()) for each in read], schema.field("tags").type)
    times_us = np.concatenate([np.array(each.times_us[:], np.int64) for each in columns])
    return pyarrow.Table.from_arrays(
        [
            pyarrow.array(times_us).cast(schema.field("timestamp").type),
            text(names, name_indexes),
            text([type_of[name] for name in names], name_indexes),
            pyarrow.array(values, mask=None if mask is None else np.asarray(mask)),
            text([each.agent_id for each in read], label_set_indexes),
            text([each.environment_id for each in read], label_set_indexes),
            text(sessions, session_indexes),
            tags.take(pyarrow.array(label_set_indexes)),
            distributions,
        ],
        schema=schema,
    )


def _together(
    parts: Sequence[tuple[Sequence[Any], Sequence[int]]],
) -> tuple[list[Any], npt.NDArray[np.int32]]:
    """Return the distinct items of all parts, and indexes into these in the place of the parts'."""
    numbers: dict[Any, int] = {}
    indexes = []
    for items, of_part in parts:
        places = np.array([numbers.setdefault(each, len(numbers)) for each in items], _INDEX)
        indexes.append(places[np.array(of_part[:], _INDEX)])
    return list(numbers), np.concatenate(indexes)


def _indexes_of_sessions(columns: Any) -> Sequence[int]:
    return columns.session_indexes[:] or [0] * len(columns.name_indexes)


def _distributions(pyarrow: Any, of_type: Any, columns: Sequence[Any], count: int) -> Any:
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for each in columns:
        for index, message in zip(each.distribution_indexes, each.distributions, strict=True):
            found[start + index] = distribution_fields(message)
        start += len(each.name_indexes)
    if not found:
        return pyarrow.nulls(count, of_type)
    return pyarrow.array([found.get(index) for index in range(count)], of_type)


def distribution_fields(message: Any) -> dict[str, Any]:
    """Return what a distribution has; a smallest or greatest value may not be known."""
    found: dict[str, Any] = {"count": message.count, "sum": message.sum}
    for name in ("min", "max"):
        if message.HasField(name):
            found[name] = getattr(message, name)
    for name in ("bounds", "bucket_counts"):
        if repeated := getattr(message, name)[:]:
            found[name] = repeated
    return found
