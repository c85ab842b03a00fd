"""Points as text: lines of NDJSON, as in the REST body, and rows of CSV.

A name, a session and a label set have the same text at each of their points: it is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

import numpy as np
import orjson

from vumeter_server.commands.files import point_columns
from vumeter_server.commands.files.known import Known
from vumeter_server.commands.files.point_fields import TYPE_NAMES
from vumeter_server.commands.files.sinks import csv_of
from vumeter_server.custom_metrics import wire

MAX_LABEL_SETS_KEPT: Final = 100_000

T = TypeVar("T")


class Ndjson:
    """Writes points as lines of NDJSON."""

    def __init__(self) -> None:
        self._labels = _LabelTexts(_labels_in_json)

    def lines(self, columns: Any) -> str:
        """Return a line for each point of PointColumns."""
        names = [
            f'Z","name":{_json(name)},"type":{_json(TYPE_NAMES[number])},'
            for name, number in zip(columns.names, columns.types, strict=True)
        ]
        numbers = _json(point_columns.values(columns).tolist())[1:-1].split(",")
        measured = [f'"value":{each}' for each in numbers]
        for index, found in _distributions(columns):
            measured[index] = f'"distribution":{found}'
        labels = self._labels.of(columns)
        sessions = ["}\n", *(f',"sessionId":{_json(each)}}}\n' for each in columns.sessions)]
        return "".join(
            f'{{"timestamp":"{time}{names[name]}{each}{labels[label_set]}{sessions[session]}'
            for time, name, each, label_set, session in _points(columns, measured)
        )


class Csv:
    """Writes points as rows of CSV; tags and distributions are JSON objects."""

    def __init__(self) -> None:
        self._labels = _LabelTexts(_labels_in_cells)

    def rows(self, columns: Any) -> str:
        """Return a row for each point of PointColumns."""
        names = [
            f"Z,{_cells(name, TYPE_NAMES[number])},"
            for name, number in zip(columns.names, columns.types, strict=True)
        ]
        measured = [
            (repr(each).removesuffix(".0"), "\r\n")
            for each in point_columns.values(columns).tolist()
        ]
        for index, found in _distributions(columns):
            measured[index] = "", csv_of([["", found]]).removeprefix(",")
        labels = self._labels.of(columns)
        sessions = [",,", *(f",{_cells(each, '')}" for each in columns.sessions)]
        rows = []
        for time, name, (value, end), label_set, session in _points(columns, measured):
            ids, tags = labels[label_set]
            rows.append(f"{time}{names[name]}{value}{ids}{sessions[session]}{tags}{end}")
        return "".join(rows)


def _points(columns: Any, measured: Sequence[T]) -> Iterator[tuple[str, int, T, int, int]]:
    """Yield of each point the time, but for its Z, then name, measurement, label set, session."""
    return zip(
        _times(columns),
        point_columns.names(columns).tolist(),
        measured,
        point_columns.label_sets(columns).tolist(),
        point_columns.sessions(columns).tolist(),
        strict=True,
    )


def _times(columns: Any) -> list[str]:
    """Return times as format_rfc3339 does, but for the Z."""
    times = point_columns.times_us(columns).astype("datetime64[us]")
    texts: list[str] = np.datetime_as_string(times, unit="us").tolist()
    return [each.rstrip("0").rstrip(".") if each.endswith("0") else each for each in texts]


class _LabelTexts(Generic[T]):
    """Makes the texts of label sets, and keeps them."""

    def __init__(self, make: Callable[[str, str, dict[str, str]], T]) -> None:
        self._make = make
        self._known = Known(self._read)
        self._tags = Known(wire.read_tag)

    def of(self, columns: Any) -> list[T]:
        """Return the text of each label set of PointColumns."""
        if len(self._known) > MAX_LABEL_SETS_KEPT:
            self._known.clear()
            self._tags.clear()
        return list(map(self._known.__getitem__, columns.label_sets))

    def _read(self, label_set: bytes) -> T:
        agent_id, environment_id, *entries = wire.split_label_set(label_set)
        tags = dict(sorted(map(self._tags.__getitem__, entries)))
        return self._make(agent_id, environment_id, tags)


def _labels_in_json(agent_id: str, environment_id: str, tags: dict[str, str]) -> str:
    labels = {"agentId": agent_id, "environmentId": environment_id, "tags": tags}
    given = {name: each for name, each in labels.items() if each}
    return f",{_json(given)[1:-1]}" if given else ""


def _labels_in_cells(agent_id: str, environment_id: str, tags: dict[str, str]) -> tuple[str, str]:
    """Return what stands before the session, and behind it."""
    return f",{_cells(agent_id, environment_id)}", _cells(_json(tags) if tags else "", "")


def _distributions(columns: Any) -> Iterator[tuple[int, str]]:
    """Yield distributions as in the REST body, and the indexes of their points."""
    for index, found in point_columns.distributions(columns):
        if counts := found.pop("bucket_counts", None):
            found["bucketCounts"] = counts
        yield index, _json(found)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _cells(*cells: str) -> str:
    """Return a row without its end."""
    return csv_of([cells]).removesuffix("\r\n")
