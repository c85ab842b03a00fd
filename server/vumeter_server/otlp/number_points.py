"""Points of gauges and sums, read from their bytes by columns.

SDKs write the start, the time and the value first, each with a tag and in 8 bytes, and then what
they repeat with every export: attributes and flags. So the numbers of many points are read at once,
and the bytes behind them identify the labels. Points of another form are read one by one.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vumeter_server.errors import InvalidArgument
from vumeter_server.otlp import wire

_START_TAG: Final = 0x11
_TIME_TAG: Final = 0x19
_DOUBLE_TAG: Final = 0x21
_INT_TAG: Final = 0x31
MOST_NANOSECONDS: Final = 2**63 - 1
"""Later times cannot be stored."""
_ATTRIBUTE_TAG: Final = b"\x3a"
_FLAGS_TAG: Final = b"\x40"
_TIME_AND_VALUE: Final = [
    ("time_tag", "u1"),
    ("time", "<u8"),
    ("value_tag", "u1"),
    ("value", "<f8"),
]
# A gauge has no start.
_FORMS: Final = {
    bytes([_START_TAG]): np.dtype([("start_tag", "u1"), ("start", "<u8"), *_TIME_AND_VALUE]),
    bytes([_TIME_TAG]): np.dtype(_TIME_AND_VALUE),
}
# What is before the value, and the tags in it.
_HEADS: Final = {
    bytes([_START_TAG]): (struct.Struct("<BQBQB"), (_START_TAG, _TIME_TAG)),
    bytes([_TIME_TAG]): (struct.Struct("<BQB"), (_TIME_TAG,)),
}
_READ_VALUE: Final = {
    _INT_TAG: struct.Struct("<q").unpack_from,
    _DOUBLE_TAG: struct.Struct("<d").unpack_from,
}
# From so many on, points are read at once.
_MANY: Final = 24


class NotAttributes(Exception):
    """Behind the numbers of a point is something else than attributes and flags."""


# One is made per metric. It is not frozen, since that would make it three times as slow to make.
@dataclass(kw_only=True, slots=True, eq=False)
class NumberColumns:
    """Points of a gauge or sum, an element per point.

    Attributes:
        starts_ns, times_ns: nanoseconds since the epoch, 0 where there is none.
        values: the value; NaN where there is none.
        has_value: whether there is one.
        rests: attributes and flags in the bytes of protobuf.
        are_whole: whether all surely have a value, and times that can be stored.
    """

    starts_ns: list[int]
    times_ns: list[int]
    values: list[float]
    has_value: list[bool]
    rests: list[bytes]
    are_whole: bool

    def part(self, start: int, stop: int) -> NumberColumns:
        """Return points [start, stop)."""
        return NumberColumns(
            starts_ns=self.starts_ns[start:stop],
            times_ns=self.times_ns[start:stop],
            values=self.values[start:stop],
            has_value=self.has_value[start:stop],
            rests=self.rests[start:stop],
            are_whole=self.are_whole,
        )


def read_runs(runs: Sequence[Sequence[bytes]]) -> list[NumberColumns | None]:
    """Read the points of metrics as most SDKs write them; None for those of other forms.

    What `rests` holds is not checked: `read_rest` raises NotAttributes of it.
    """
    found: list[NumberColumns | None] = [None] * len(runs)
    for tag in _FORMS:
        numbers = [number for number, run in enumerate(runs) if run and run[0][:1] == tag]
        if not numbers:
            continue
        try:
            columns = _read_columns([point for number in numbers for point in runs[number]])
        except NotAttributes:
            for number in numbers:
                with contextlib.suppress(NotAttributes):
                    found[number] = _read_columns(runs[number])
            continue
        start = 0
        for number in numbers:
            stop = start + len(runs[number])
            found[number] = columns.part(start, stop)
            start = stop
    return found


def _read_columns(points: Sequence[bytes]) -> NumberColumns:
    """Read points of one form; raises NotAttributes of others."""
    read = _read_many if len(points) >= _MANY else _read_few
    starts_ns, times_ns, values, latest_ns = read(points)
    size = _FORMS[points[0][:1]].itemsize
    return NumberColumns(
        starts_ns=starts_ns,
        times_ns=times_ns,
        values=values,
        has_value=[True] * len(points),
        rests=[point[size:] for point in points],
        are_whole=latest_ns <= MOST_NANOSECONDS,
    )


_Numbers = tuple[list[int], list[int], list[float], int]
"""Starts, times and values; the latest of the times."""


def _read_few(points: Sequence[bytes]) -> _Numbers:
    """Read the numbers of points one by one."""
    head, tags = _HEADS[points[0][:1]]
    starts_ns, times_ns, values = [], [], []
    for point in points:
        try:
            *numbers, time_ns, value_tag = head.unpack_from(point)
            (value,) = _READ_VALUE[value_tag](point, head.size)
        except (struct.error, KeyError):
            raise NotAttributes from None
        if (*numbers[::2],) != tags:
            raise NotAttributes
        starts_ns.append(numbers[1] if len(tags) > 1 else 0)
        times_ns.append(time_ns)
        values.append(float(value))
    return starts_ns, times_ns, values, max(*starts_ns, *times_ns)


def _read_many(points: Sequence[bytes]) -> _Numbers:
    """Do as `_read_few` by columns."""
    form = _FORMS[points[0][:1]]
    size = form.itemsize
    heads = b"".join([point[:size] for point in points])
    if len(heads) != size * len(points):
        raise NotAttributes
    read = np.frombuffer(heads, form)
    is_int = read["value_tag"] == _INT_TAG
    fits = (read["time_tag"] == _TIME_TAG) & (is_int | (read["value_tag"] == _DOUBLE_TAG))
    has_starts = "start" in (form.names or ())
    if has_starts:
        fits &= read["start_tag"] == _START_TAG
    if not fits.all():
        raise NotAttributes
    values = read["value"].astype(np.float64)
    if is_int.any():
        whole = read["value"].copy().view(np.int64)
        values = np.where(is_int, whole.astype(np.float64), values)
    times_ns = read["time"].copy()
    starts_ns = read["start"].copy() if has_starts else np.zeros_like(times_ns)
    latest_ns = max(starts_ns.max().item(), times_ns.max().item())
    return starts_ns.tolist(), times_ns.tolist(), values.tolist(), latest_ns


def read_each(points: Sequence[bytes]) -> NumberColumns:
    """Read points of any form; raises InvalidArgument if one is no point."""
    read = [wire.parse(wire.NUMBER_POINT, point) for point in points]
    kinds = [each.WhichOneof("value") for each in read]
    return NumberColumns(
        starts_ns=[each.start_time_unix_nano for each in read],
        times_ns=[each.time_unix_nano for each in read],
        values=[
            math.nan if kind is None else float(getattr(each, kind))
            for each, kind in zip(read, kinds, strict=True)
        ],
        has_value=[kind is not None for kind in kinds],
        rests=[
            wire.NUMBER_POINT(attributes=each.attributes, flags=each.flags).SerializeToString()
            for each in read
        ],
        are_whole=False,
    )


def read_rest(rest: bytes) -> tuple[Sequence[bytes], int]:
    """Return the attributes and flags behind the numbers of a point.

    Raises:
        NotAttributes: there is something else.
        InvalidArgument: it is not protobuf.
    """
    if rest and not rest.startswith((_ATTRIBUTE_TAG, _FLAGS_TAG)):
        raise NotAttributes
    read: Any = wire.parse(wire.NUMBER_POINT, rest)
    if read.WhichOneof("value") is not None or read.start_time_unix_nano or read.time_unix_nano:
        raise NotAttributes
    return read.attributes, read.flags


def read_rest_in_pieces(pieces: Sequence[bytes]) -> tuple[Sequence[bytes], int] | None:
    """Do as `read_rest` for what is left when fields were cut out; None if it is not whole."""
    try:
        for piece in pieces:
            wire.parse(wire.NUMBER_POINT, piece)
        return read_rest(b"".join(pieces))
    except (InvalidArgument, NotAttributes):
        return None
