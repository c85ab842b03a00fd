"""The answer of a query of metrics, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import orjson

from vumeter_server.custom_metrics.query_metrics import QueryRows
from vumeter_server.numbers import JsonNumber, json_number, json_numbers, text_numbers
from vumeter_server.times.rfc3339 import format_local
from vumeter_server.times.zones import offset_at

Floats = npt.NDArray[np.float64]


def render_query(rows: QueryRows, zone: ZoneInfo) -> bytes:
    """Write `{"data": {"rows": [...], "groups": n}}`; a row has `errors` if one is not 0."""
    names, counted = rows.names, rows.names[: rows.metrics]
    starts, ends = _times(rows, zone)
    values = _numbers(rows.values)
    counts = rows.counts.tolist()
    written: list[dict[str, Any]] = [
        {
            "start": starts[row],
            "end": ends[row],
            "labels": dict.fromkeys(rows.group_by)
            if labels is None
            else dict(zip(rows.group_by, labels, strict=True)),
            "values": dict(zip(names, values[row], strict=True)),
            "counts": dict(zip(counted, counts[row], strict=True)),
        }
        for row, labels in enumerate(rows.labels)
    ]
    if rows.previous is not None:
        for each, before in zip(written, _numbers(rows.previous), strict=True):
            each["previous"] = dict(zip(names, before, strict=True))
    if rows.errors is not None:
        for row in np.flatnonzero(rows.errors.any(axis=1)).tolist():
            errors = rows.errors_of(row)
            written[row]["errors"] = {name: json_number(error) for name, error in errors.items()}
    return orjson.dumps({"data": {"rows": written, "groups": rows.groups}})


def render_query_csv(rows: QueryRows, zone: ZoneInfo) -> bytes:
    """Write RFC 4180: a header, then a line per row; no value is an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    counted = rows.names[: rows.metrics]
    header = ["start", "end", *rows.group_by, *rows.names, *(f"counts.{name}" for name in counted)]
    if rows.previous is not None:
        header += [f"previous.{name}" for name in rows.names]
    writer.writerow(header)
    starts, ends = _times(rows, zone)
    values, counts = _texts(rows.values), rows.counts.tolist()
    before = [[]] * len(starts) if rows.previous is None else _texts(rows.previous)
    absent = [""] * len(rows.group_by)
    for row, labels in enumerate(rows.labels):
        writer.writerow(
            [starts[row], ends[row], *(labels or absent), *values[row], *counts[row], *before[row]]
        )
    return text.getvalue().encode()


def _times(rows: QueryRows, zone: ZoneInfo) -> tuple[list[str], list[str]]:
    @cache
    def local(instant_us: int) -> str:
        return format_local(instant_us, offset_at(instant_us, zone))

    return [local(each) for each in rows.starts_us.tolist()], [
        local(each) for each in rows.ends_us.tolist()
    ]


def _numbers(values: Floats) -> list[list[JsonNumber | None]]:
    """Return rows of numbers as orjson is to print them; None for no value."""
    flat: list[JsonNumber | None] = [*json_numbers(np.nan_to_num(values, nan=0.0).reshape(-1))]
    for place in np.flatnonzero(np.isnan(values.reshape(-1))).tolist():
        flat[place] = None
    width = values.shape[1]
    return [flat[start : start + width] for start in range(0, len(flat), width)]


def _texts(values: Floats) -> list[list[str]]:
    flat = text_numbers(np.nan_to_num(values, nan=0.0).reshape(-1))
    for place in np.flatnonzero(np.isnan(values.reshape(-1))).tolist():
        flat[place] = ""
    width = values.shape[1]
    return [flat[start : start + width] for start in range(0, len(flat), width)]
