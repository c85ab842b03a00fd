"""Points of gauges and sums, read from their bytes by columns.

SDKs write the start, the time and the value first, each with a tag and in 8 bytes, and then what
they repeat with every export: attributes and flags. So the numbers of many points are read at once,
and the bytes behind them identify the labels. Points of another form are read one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

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


# One by one, so many are read as quickly.
_FEW: Final = 4


class NotAttributes(Exception):
    """Behind the numbers of a point is something else than attributes and flags."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberColumns:
    """Points of a gauge or sum, an element per point.

    Attributes:
        starts_ns, times_ns: nanoseconds since the epoch, 0 where there is none.
        values: the value; NaN where there is none.
        has_value: whether there is one.
        rests: attributes and flags in the bytes of protobuf.
        are_whole: whether all surely have a value, and times that can be stored.
    """

    starts_ns: npt.NDArray[np.uint64]
    times_ns: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float64]
    has_value: npt.NDArray[np.bool_]
    rests: list[bytes]
    are_whole: bool

    def at(self, chosen: slice | npt.NDArray[np.int64]) -> NumberColumns:
        """Return some of the points, without what is behind their numbers."""
        return NumberColumns(
            starts_ns=self.starts_ns[chosen],
            times_ns=self.times_ns[chosen],
            values=self.values[chosen],
            has_value=self.has_value[chosen],
            rests=self.rests[chosen] if isinstance(chosen, slice) else [],
            are_whole=self.are_whole,
        )


def read_runs(runs: Sequence[Sequence[bytes]]) -> list[NumberColumns | None]:
    """Read the points of metrics as most SDKs write them; None for those of other forms.

    What `rests` holds is not checked: `read_rest` raises NotAttributes of it.
    """
    found: list[NumberColumns | None] = [None] * len(runs)
    for tag in _FORMS:
        numbers = [number for number, run in enumerate(runs) if run and run[0][:1] == tag]
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
            found[number] = columns.at(slice(start, stop))
            start = stop
    return found


def _read_columns(points: Sequence[bytes]) -> NumberColumns:
    """Read points of one form; raises NotAttributes of others, and of very few."""
    if len(points) < _FEW:
        raise NotAttributes
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
    starts_ns = read["start"].copy() if has_starts else np.zeros(len(points), np.uint64)
    times_ns = read["time"].copy()
    return NumberColumns(
        starts_ns=starts_ns,
        times_ns=times_ns,
        values=values,
        has_value=np.ones(len(points), bool),
        rests=[point[size:] for point in points],
        are_whole=max(int(starts_ns.max()), int(times_ns.max())) <= MOST_NANOSECONDS,
    )


def read_each(points: Sequence[bytes]) -> NumberColumns:
    """Read points of any form; raises InvalidArgument if one is no point."""
    read = [wire.parse(wire.NUMBER_POINT, point) for point in points]
    kinds = [each.WhichOneof("value") for each in read]
    return NumberColumns(
        starts_ns=np.array([each.start_time_unix_nano for each in read], np.uint64),
        times_ns=np.array([each.time_unix_nano for each in read], np.uint64),
        values=np.array(
            [
                np.nan if kind is None else float(getattr(each, kind))
                for each, kind in zip(read, kinds, strict=True)
            ],
            np.float64,
        ),
        has_value=np.array([kind is not None for kind in kinds], bool),
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
