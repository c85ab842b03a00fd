"""Points as tables of Arrow, a row group at a time, with each text of a group stored once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vumeter_server.commands.files import point_columns
from vumeter_server.commands.files.point_columns import Numbers
from vumeter_server.commands.files.point_fields import TYPE_NAMES
from vumeter_server.commands.files.point_labels import LabelNumbers

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PARQUET_OPTIONS: Final[Mapping[str, Any]] = {
    # Times hardly repeat.
    "use_dictionary": [
        *("name", "type", "value", "agent_id", "environment_id", "session_id"),
        *("tags.key_value.key", "tags.key_value.value"),
    ],
    "column_encoding": {"timestamp": "DELTA_BINARY_PACKED"},
    # The least and greatest of all tags say nothing.
    "write_statistics": [
        *("timestamp", "name", "type", "value", "agent_id", "environment_id", "session_id")
    ],
}
"""How columns are encoded."""


def schema(pyarrow: Any) -> Any:
    """Return the columns of tables; readers of a file see the texts as plain strings."""
    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    return pyarrow.schema(
        [
            ("timestamp", pyarrow.timestamp("us", "UTC")),
            ("name", text),
            ("type", text),
            ("value", pyarrow.float64()),
            ("agent_id", text),
            ("environment_id", text),
            ("session_id", text),
            ("tags", pyarrow.map_(text, text)),
            ("distribution", _distribution_type(pyarrow)),
        ]
    )


def _distribution_type(pyarrow: Any) -> Any:
    return pyarrow.struct(
        [
            ("count", pyarrow.int64()),
            ("sum", pyarrow.float64()),
            ("min", pyarrow.float64()),
            ("max", pyarrow.float64()),
            ("bounds", pyarrow.list_(pyarrow.float64())),
            ("bucket_counts", pyarrow.list_(pyarrow.int64())),
        ]
    )


class PointTables:
    """Makes tables; what was read for one is kept for the next. Used by one thread at a time."""

    def __init__(self) -> None:
        self._labels = LabelNumbers()

    def table(self, pyarrow: Any, columns: Sequence[Any]) -> Any:
        """Return the points of several PointColumns of `wire.EXPORTED` as one table."""
        labels = self._labels
        labels.make_room()
        label_sets = _of_all(
            (labels.number(each.label_sets), point_columns.label_sets(each)) for each in columns
        )
        names, name_numbers = _together((each.names, point_columns.names(each)) for each in columns)
        sessions, session_numbers = _together(
            (["", *each.sessions], point_columns.sessions(each)) for each in columns
        )
        type_of = {
            name: TYPE_NAMES[number]
            for each in columns
            for name, number in zip(each.names, each.types, strict=True)
        }
        types, type_numbers = _together([([type_of[each] for each in names], name_numbers)])
        times_us = np.concatenate(list(map(point_columns.times_us, columns)))
        values = np.concatenate(list(map(point_columns.values, columns)))
        tables = schema(pyarrow)
        distributions, is_distribution = _distributions(
            pyarrow, tables.field("distribution").type, columns, len(values)
        )
        tags = labels.tags_of(label_sets)
        return pyarrow.Table.from_arrays(
            [
                _numbers(pyarrow, tables.field("timestamp").type, times_us),
                _texts(pyarrow, names, name_numbers),
                _texts(pyarrow, types, type_numbers),
                _numbers(pyarrow, tables.field("value").type, values, is_distribution),
                _texts(pyarrow, labels.agents, labels.agents_of(label_sets)),
                _texts(pyarrow, labels.environments, labels.environments_of(label_sets)),
                _texts(pyarrow, sessions, session_numbers),
                pyarrow.MapArray.from_arrays(
                    _numbers(pyarrow, pyarrow.int32(), tags.offsets),
                    _texts(pyarrow, labels.keys, tags.keys),
                    _texts(pyarrow, labels.values, tags.values),
                ),
                distributions,
            ],
            schema=tables,
        )


def _of_all(parts: Iterable[tuple[Numbers, Numbers]]) -> Numbers:
    """Return the numbers at the indexes of all parts."""
    return np.concatenate([numbers[indexes] for numbers, indexes in parts])


def _together(parts: Iterable[tuple[Sequence[str], Numbers]]) -> tuple[dict[str, int], Numbers]:
    """Number the texts of all parts, -1 for an empty one; return the numbers at their indexes."""
    numbers: dict[str, int] = {}
    found = _of_all(
        (
            np.array([numbers.setdefault(each, len(numbers)) if each else -1 for each in texts]),
            indexes,
        )
        for texts, indexes in parts
    )
    return numbers, found


def _numbers(
    pyarrow: Any, of_type: Any, numbers: Numbers | Doubles, is_null: Mask | None = None
) -> Any:
    """Return numbers as an array of a type that has them as they are in memory.

    `pyarrow.array` and `cast` would first load what they may need, for longer than they work.
    """
    validity = None
    if is_null is not None:
        validity = pyarrow.py_buffer(np.packbits(~is_null, bitorder="little"))
    buffers = [validity, pyarrow.py_buffer(numbers)]
    return pyarrow.Array.from_buffers(of_type, len(numbers), buffers)


def _texts(pyarrow: Any, texts: Iterable[str], numbers: Numbers) -> Any:
    """Return the texts of these numbers, null for -1; those that occur are stored once."""
    by_number = list(texts)
    is_used = np.zeros(len(by_number) + 1, np.bool_)
    is_used[numbers] = True
    places = np.cumsum(is_used, dtype=np.int32) - 1
    return pyarrow.DictionaryArray.from_arrays(
        _numbers(pyarrow, pyarrow.int32(), places[numbers], numbers < 0 if is_used[-1] else None),
        pyarrow.array(
            [by_number[each] for each in np.flatnonzero(is_used[:-1]).tolist()], pyarrow.string()
        ),
    )


def _distributions(
    pyarrow: Any, of_type: Any, columns: Sequence[Any], count: int
) -> tuple[Any, Mask | None]:
    """Return the distributions of points, and which points have one; None if there is none."""
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for each in columns:
        for index, distribution in point_columns.distributions(each):
            found[start + index] = distribution
        start += point_columns.count(each)
    if not found:
        return pyarrow.nulls(count, of_type), None
    is_distribution = np.zeros(count, np.bool_)
    is_distribution[list(found)] = True
    return pyarrow.array([found.get(index) for index in range(count)], of_type), is_distribution
