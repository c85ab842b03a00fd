"""How columns lie in blobs: little-endian numbers, each column in the narrowest type that holds it.

A column blob is a byte that names the type, 7 bytes for the first of numbers written as
differences, and then the numbers. A batch of the log is a structured array. The points of a session
are one byte that names the types, 8 bytes of the first time, and a structured array.

Measurements mostly have few decimals, such as 640.3, and their doubles take 8 bytes. So values are
written as whole tenths, hundredths or thousandths where dividing these gives back every double.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exact_sums import ExactSums

DAY_US = 86_400_000_000

Array = npt.NDArray[Any]

POINT = np.dtype(
    [
        ("metric", "<i4"),
        ("series", "<i4"),
        ("session", "<i4"),
        ("time_us", "<i8"),
        ("value", "<f8"),
    ]
)
"""A point of the log: codes within the organization (session -1: none), time and value."""

_HEADER_BYTES = 8
_TYPES = ("<u1", "<u2", "<u4", "<i8", "<f8")
_OF_TYPE = 0b1111
# Numbers in ascending order, whose differences are of the type before.
_DIFFERENCES = 1 << 4
# How many decimals whole numbers stand for: from here on 0 to 3.
_DECIMALS_FROM_BIT = 5
_MOST_DECIMALS = 3


class Kind(IntEnum):
    """Which column of a metric's day a blob is."""

    TIME = 0
    """Microseconds since the day began, in ascending order."""
    VALUE = 1
    SERIES = 2
    SESSION = 3
    """The session's code plus 1; 0 for none."""


def encode(column: Array, *, ascending: bool = False) -> bytes:
    """Write a column of whole numbers from 0, or of doubles, in the narrowest type.

    Whole numbers in ascending order can be written as their differences, which are smaller.
    """
    flags, first = 0, 0
    if ascending and len(column):
        first = int(column[0])
        column = np.diff(column, prepend=column[:1])
        flags = _DIFFERENCES
    type_name = _narrowest(column)
    if type_name == "<f8":
        for decimals in range(1, _MOST_DECIMALS + 1):
            # Most columns without are found out by a few of their values.
            if _are_whole(column[:16], decimals).all() and _are_whole(column, decimals).all():
                column = _in_units(column, decimals)
                type_name = _narrowest(column)
                flags |= decimals << _DECIMALS_FROM_BIT
                break
    header = bytes([_TYPES.index(type_name) | flags]) + first.to_bytes(7, "little")
    return header + column.astype(type_name).tobytes()


def _in_units(values: Array, decimals: int) -> Array:
    with np.errstate(over="ignore"):
        return np.rint(values * 10.0**decimals)


def _are_whole(values: Array, decimals: int) -> npt.NDArray[np.bool_]:
    """Return which values are small whole numbers of 10^-decimals, and given back by them."""
    units = _in_units(values, decimals)
    whole: npt.NDArray[np.bool_] = (
        (units >= 0) & (units < 2**32) & (units / 10.0**decimals == values)
    )
    return whole


def decode(blob: bytes | memoryview) -> Array:
    """Read what `encode` wrote, without a copy but for differences and decimals."""
    column = np.frombuffer(blob, _TYPES[blob[0] & _OF_TYPE], offset=_HEADER_BYTES)
    decimals = blob[0] >> _DECIMALS_FROM_BIT
    if decimals:
        return column / 10.0**decimals
    if not blob[0] & _DIFFERENCES:
        return column
    whole = np.cumsum(column, dtype=np.int64)
    whole += int.from_bytes(blob[1:_HEADER_BYTES], "little")
    return whole


def _narrowest(column: Array) -> str:
    """Return the narrowest type; -0.0 is written as the 0 that it equals."""
    smallest, largest = (column.min(), column.max()) if len(column) else (0, 0)
    if column.dtype.kind == "f" and (
        smallest < 0 or largest >= 2**32 or not np.array_equal(column, np.trunc(column))
    ):
        return "<f8"
    for type_name, limit in (("<u1", 2**8), ("<u2", 2**16), ("<u4", 2**32)):
        if largest < limit:
            return type_name
    return "<i8"


_SESSION_CHOICES = (
    ("metric", ("<u1", "<u2")),
    ("series", ("<u2", "<u4")),
    ("after_us", ("<u4", "<i8")),
    ("value", ("<u1", "<f8")),
)
_VALUE_BIT = 3
# Values are whole numbers of 10^-decimals, of the first or the second of these types.
_IN_UNITS = 1 << 4
_UNIT_TYPES = ("<u2", "<u4")


def _session_type(choice: int) -> np.dtype[np.void]:
    fields = [
        (name, types[(choice >> bit) & 1]) for bit, (name, types) in enumerate(_SESSION_CHOICES)
    ]
    if choice & _IN_UNITS:
        fields[-1] = ("value", _UNIT_TYPES[(choice >> _VALUE_BIT) & 1])
    return np.dtype(fields)


_SESSION_TYPES = [_session_type(choice) for choice in range(1 << 7)]


def encode_sessions(points: npt.NDArray[np.void], starts: npt.NDArray[np.int64]) -> list[bytes]:
    """Write runs of points of type POINT, each of one session, in the order in which they are.

    `starts` has the position of each run's first point; there are no empty runs.
    """
    counts = np.diff(starts, append=len(points))
    first_us = np.minimum.reduceat(points["time_us"], starts)
    columns = {
        "metric": points["metric"],
        "series": points["series"],
        "after_us": points["time_us"] - np.repeat(first_us, counts),
        "value": points["value"],
    }
    value = columns["value"]
    is_wide = (
        columns["metric"] >= 2**8,
        columns["series"] >= 2**16,
        columns["after_us"] >= 2**32,
        ~((value >= 0) & (value < 2**8) & (value == np.trunc(value))),
    )
    choices = np.zeros(len(starts), np.int64)
    for bit, wide in enumerate(is_wide):
        choices |= np.logical_or.reduceat(wide, starts).astype(np.int64) << bit
    is_wide_value: npt.NDArray[np.bool_] = choices >> _VALUE_BIT == 1
    choices += _choices_of_units(value, starts, is_wide_value)
    choice_of_point = np.repeat(choices, counts)
    firsts = first_us.astype("<i8").tobytes()
    blobs = [b""] * len(starts)
    for choice in np.unique(choices).tolist():
        chosen = choice_of_point == choice
        written = np.empty(int(chosen.sum()), _SESSION_TYPES[choice])
        for name, column in columns.items():
            written[name] = column[chosen]
        if choice & _IN_UNITS:
            written["value"] = _in_units(value[chosen], choice >> _DECIMALS_FROM_BIT)
        data, size, at = written.tobytes(), written.itemsize, 0
        for run in np.flatnonzero(choices == choice).tolist():
            end = at + int(counts[run]) * size
            blobs[run] = bytes([choice]) + firsts[8 * run : 8 * run + 8] + data[at:end]
            at = end
    return blobs


def _choices_of_units(
    values: Array, starts: npt.NDArray[np.int64], wide: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return what is to be added to the choice of each run to write its values in units."""
    added = np.zeros(len(starts), np.int64)
    for decimals in range(_MOST_DECIMALS + 1):
        whole = np.logical_and.reduceat(_are_whole(values, decimals), starts) & wide & (added == 0)
        if not whole.any():
            continue
        small = np.maximum.reduceat(_in_units(values, decimals), starts) < 2**16
        choice = _IN_UNITS | decimals << _DECIMALS_FROM_BIT
        # The bit that says that values are wide then says which of the two types they have.
        added[whole] = np.where(small, choice - (1 << _VALUE_BIT), choice)[whole]
    return added


def read_session(blob: bytes) -> Iterator[tuple[int, int, int, float]]:
    """Yield the points of one run that `encode_sessions` wrote: metric, series, time, value."""
    read = np.frombuffer(blob, _SESSION_TYPES[blob[0]], offset=9)
    first_us = int.from_bytes(blob[1:9], "little", signed=True)
    units = 10.0 ** (blob[0] >> _DECIMALS_FROM_BIT)
    for metric, series, after_us, value in read.tolist():
        yield metric, series, first_us + after_us, value / units


def encode_table(columns: Sequence[Array]) -> bytes:
    """Write columns of equal length side by side."""
    blobs = [encode(column) for column in columns]
    lengths = np.array([len(columns), *(len(blob) for blob in blobs)], "<i8")
    # Each column begins at a multiple of 8 bytes, where processors read numbers fastest.
    return lengths.tobytes() + b"".join(blob.ljust(-(-len(blob) // 8) * 8, b"\0") for blob in blobs)


def decode_table(blob: bytes) -> list[Array]:
    """Read what `encode_table` wrote, without a copy."""
    view = memoryview(blob)
    (count,) = np.frombuffer(view, "<i8", 1)
    lengths = np.frombuffer(view, "<i8", count, offset=8).tolist()
    columns = []
    start = 8 + 8 * count
    for length in lengths:
        columns.append(decode(view[start : start + length]))
        start += -(-length // 8) * 8
    return columns


def encode_sums(keys: Sequence[Array], sums: ExactSums) -> bytes:
    """Write sums with the columns of their keys."""
    sums.carry()
    return encode_table([*keys, sums.counts, *sums.parts])


def decode_sums(blob: bytes, keys: int) -> tuple[list[Array], ExactSums]:
    """Read what `encode_sums` wrote with that many columns of keys; nothing may be added to it."""
    columns = decode_table(blob)
    # Callers calculate with keys, which overflow in the types in which they are written.
    wide = [column.astype(np.int64) for column in columns[:keys]]
    return wide, ExactSums(columns[keys], columns[keys + 1 :])
