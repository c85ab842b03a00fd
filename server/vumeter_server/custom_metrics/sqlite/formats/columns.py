"""How a column of a segment lies in a blob: little-endian numbers of the narrowest type that fits.

Behind the blob's header come a byte that names the type, 7 bytes for the first of numbers written
as differences, and then the numbers.

Measurements mostly have few decimals, such as 640.3, and their doubles take 8 bytes. So values are
written as whole tenths, hundredths or thousandths where dividing these gives back every double.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.sqlite.blobs import Holds, checked_content_of, damaged, with_header

DAY_US = 86_400_000_000

Array = npt.NDArray[Any]

_START_BYTES = 8
_TYPES = ("<u1", "<u2", "<u4", "<i8", "<f8")
_OF_TYPE = 0b1111
# Numbers in ascending order, whose differences are of the type before.
_DIFFERENCES = 1 << 4
# How many decimals whole numbers stand for: from here on 0 to 3.
_DECIMALS_FROM_BIT = 5
MOST_DECIMALS = 3
_TYPE_OF_FLAGS = {
    number | flags: np.dtype(type_name)
    for number, type_name in enumerate(_TYPES)
    for flags in (
        0,
        # Differences are whole numbers, and so is what stands for decimals.
        *((_DIFFERENCES,) if type_name != "<f8" else ()),
        *(
            each << _DECIMALS_FROM_BIT
            for each in range(1, MOST_DECIMALS + 1)
            if type_name[1] == "u"
        ),
    )
}


class Kind(IntEnum):
    """Which column of a metric's day a blob is."""

    TIME = 0
    """Microseconds since the day began, in ascending order."""
    VALUE = 1
    SERIES = 2
    SESSION = 3
    """The session's code plus 1; 0 for none."""


DISTRIBUTION_KIND = 4
"""The kind under which the distributions of a metric's day lie, where it has some."""


def encode(column: Array, *, ascending: bool = False) -> bytes:
    """Write a column of whole numbers from 0, or of doubles, in the narrowest type.

    Whole numbers in ascending order can be written as their differences, which are smaller.
    """
    return with_header(Holds.COLUMN, encode_bare(column, ascending=ascending))


def decode(blob: bytes) -> Array:
    """Read what `encode` wrote, without a copy but for differences and decimals.

    Raises StorageDamaged if the blob is not as it was written.
    """
    content = checked_content_of(Holds.COLUMN, blob)
    return decode_bare(blob if content is None else content)


def encode_bare(column: Array, *, ascending: bool = False) -> bytes:
    """Do as `encode`, without the header: for a column within another blob."""
    flags, first = 0, 0
    if ascending and len(column):
        first = int(column[0])
        column = np.diff(column, prepend=column[:1])
        flags = _DIFFERENCES
    type_name = _narrowest(column)
    if type_name == "<f8":
        units = as_units(column, least_decimals=1)
        if units is not None:
            column, decimals = units
            type_name = _narrowest_whole(np.maximum.reduce(column))
            flags |= decimals << _DECIMALS_FROM_BIT
    start = bytes([_TYPES.index(type_name) | flags]) + first.to_bytes(7, "little")
    return start + column.astype(type_name).tobytes()


def in_units(values: Array, decimals: int) -> Array:
    with np.errstate(over="ignore"):
        return np.rint(values * 10.0**decimals)


def are_whole(values: Array, decimals: int) -> npt.NDArray[np.bool_]:
    """Return which values are small whole numbers of 10^-decimals, and given back by them."""
    units = in_units(values, decimals)
    whole: npt.NDArray[np.bool_] = (
        (units >= 0) & (units < 2**32) & (units / 10.0**decimals == values)
    )
    return whole


def as_units(values: Array, least_decimals: int = 0) -> tuple[Array, int] | None:
    """Return values as whole numbers below 2^32 of so many decimals; None if they are none such."""
    some = values[:4].tolist()
    for decimals in range(least_decimals, MOST_DECIMALS + 1):
        unit = 10.0**decimals
        # Most columns that have more decimals are found out by a few of their values.
        if not all(
            0 <= value * unit < 2**32 and round(value * unit) / unit == value for value in some
        ):
            continue
        units = in_units(values, decimals)
        if not len(units) or (
            np.minimum.reduce(units) >= 0
            and np.maximum.reduce(units) < 2**32
            and (units / unit == values).all()
        ):
            return units, decimals
    return None


def decode_bare(blob: bytes | memoryview) -> Array:
    """Read what `encode_bare` wrote."""
    flags = blob[0] if len(blob) >= _START_BYTES else _OF_TYPE
    dtype = _TYPE_OF_FLAGS.get(flags)
    if dtype is None:
        raise damaged(Holds.COLUMN, "its type is none that is known")
    try:
        column = np.frombuffer(blob, dtype, offset=_START_BYTES)
    except ValueError:
        raise damaged(Holds.COLUMN, "its length does not fit its type") from None
    decimals = flags >> _DECIMALS_FROM_BIT
    if decimals:
        return column / 10.0**decimals
    if not flags & _DIFFERENCES:
        return column
    # Adding up wide numbers in place takes a third of what `cumsum` takes to widen them one by one.
    whole = column.astype(np.int64)
    whole[:1] += int.from_bytes(blob[1:_START_BYTES], "little")
    return np.add.accumulate(whole, out=whole)


def _narrowest(column: Array) -> str:
    """Return the narrowest type; -0.0 is written as the 0 that it equals."""
    if not len(column):
        return _TYPES[0]
    if column.dtype.kind != "f":
        return _narrowest_whole(np.maximum.reduce(column))
    # Rollups have many short columns, to which each pass costs more than its numbers do.
    if not float(column[0]).is_integer():
        return "<f8"
    smallest, largest = np.minimum.reduce(column), np.maximum.reduce(column)
    if smallest < 0 or largest >= 2**32:
        return "<f8"
    if smallest != largest and (column != np.trunc(column)).any():
        return "<f8"
    return _narrowest_whole(largest)


def _narrowest_whole(largest: Any) -> str:
    for type_name, limit in (("<u1", 2**8), ("<u2", 2**16), ("<u4", 2**32)):
        if largest < limit:
            return type_name
    return "<i8"
