"""How a column of a segment lies in a blob: little-endian numbers of the narrowest type that fits.

Behind the blob's header come a byte that names the type, 7 bytes for the first of numbers written
as differences, and then the numbers.

Measurements mostly have few decimals, such as 640.3, and their doubles take 8 bytes. So values are
written as whole tenths, hundredths or thousandths where dividing these gives back every double.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from vumeter_server.sqlite.blobs import Holds, checked_content_of, damaged, with_header

DAY_US = 86_400_000_000

Array = npt.NDArray[Any]

_START_BYTES = 8
# So many numbers are looked at more quickly by Python than by numpy, of which each pass takes 2 µs.
_FEW = 48
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
    return _encoded(column, _bounds(column), flags, first)


def encode_bare_each(columns: Sequence[Array]) -> list[bytes]:
    """Return what `encode_bare` returns for each of some columns.

    Rollups have many short columns, to which each pass costs more than its numbers do. So columns
    of doubles of one length are looked at together.
    """
    doubles = [each for each in columns if each.dtype == np.float64]
    length = len(columns[0]) if columns else 0
    if not length or any(len(each) != length for each in doubles):
        return [encode_bare(each) for each in columns]
    together = np.array(doubles)
    bounds = zip(
        np.minimum.reduce(together, axis=1).tolist() if doubles else (),
        np.maximum.reduce(together, axis=1).tolist() if doubles else (),
        np.logical_and.reduce(together == np.trunc(together), axis=1).tolist() if doubles else (),
        strict=True,
    )
    return [
        _encoded(each, next(bounds) if each.dtype == np.float64 else _bounds(each))
        for each in columns
    ]


def _bounds(column: Array) -> tuple[float, float, bool]:
    """Return the smallest and the largest number, and whether all are whole."""
    if not len(column):
        return 0, 0, True
    if len(column) <= _FEW:
        numbers = column.tolist()
        if column.dtype.kind != "f":
            return 0, max(numbers), True
        # `min` does not find a NaN.
        smallest = min(numbers) if math.isfinite(sum(numbers)) else math.nan
        return smallest, max(numbers), all(map(float.is_integer, numbers))
    largest = np.maximum.reduce(column).item()
    if column.dtype.kind != "f":
        return 0, largest, True
    smallest = np.minimum.reduce(column).item()
    # Most columns of which not all are whole are found out by the first.
    whole = float(column[0]).is_integer() and bool((column == np.trunc(column)).all())
    return smallest, largest, whole


def _encoded(
    column: Array, bounds: tuple[float, float, bool], flags: int = 0, first: int = 0
) -> bytes:
    """Write a column of which `_bounds` are known; -0.0 is written as the 0 that it equals."""
    smallest, largest, whole = bounds
    if column.dtype.kind != "f" or (whole and smallest >= 0 and largest < 2**32):
        type_name = _narrowest_whole(largest)
    else:
        type_name = "<f8"
        units = _as_units(column, smallest, largest, least_decimals=1)
        if units is not None:
            column, decimals = units
            type_name = _narrowest_whole(round(largest * 10.0**decimals))
            flags |= decimals << _DECIMALS_FROM_BIT
    start = bytes([_TYPES.index(type_name) | flags]) + first.to_bytes(7, "little")
    return start + column.astype(type_name, copy=False).tobytes()


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


def as_units(values: Array) -> tuple[Array, int] | None:
    """Return values as whole numbers below 2^32 of so many decimals; None if they are none such."""
    if not len(values):
        return values, 0
    smallest, largest = np.minimum.reduce(values).item(), np.maximum.reduce(values).item()
    return _as_units(values, smallest, largest, least_decimals=0)


def _as_units(
    values: Array, smallest: float, largest: float, *, least_decimals: int
) -> tuple[Array, int] | None:
    # Of values with a NaN the smallest is NaN, too.
    if not smallest >= 0:
        return None
    some = values[: _FEW if len(values) <= _FEW else 4].tolist()
    for decimals in range(least_decimals, MOST_DECIMALS + 1):
        unit = 10.0**decimals
        if not largest * unit < 2**32 - 0.5:
            return None
        # Most columns that have more decimals are found out by a few of their values.
        if all(round(value * unit) / unit == value for value in some):
            units = np.rint(values * unit)
            if len(some) == len(values) or (units / unit == values).all():
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
    if len(whole):
        whole[0] += int.from_bytes(blob[1:_START_BYTES], "little")
    return np.add.accumulate(whole, out=whole)


def _narrowest_whole(largest: Any) -> str:
    for type_name, limit in (("<u1", 2**8), ("<u2", 2**16), ("<u4", 2**32)):
        if largest < limit:
            return type_name
    return "<i8"
