"""How columns lie in blobs: little-endian numbers, each column in the narrowest type that holds it.

A column blob is 8 bytes, of which the first names the type, and then the numbers. A batch of the
log is a structured array. The points of a session are one byte that names the types, 8 bytes of the
first time, and a structured array.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

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


class Kind(IntEnum):
    """Which column of a metric's day a blob is."""

    TIME = 0
    """Microseconds since the day began, in ascending order."""
    VALUE = 1
    SERIES = 2
    SESSION = 3
    """The session's code plus 1; 0 for none."""


def encode(column: Array) -> bytes:
    """Write a column of whole numbers from 0, or of doubles, in the narrowest type."""
    type_name = _narrowest(column)
    header = bytes([_TYPES.index(type_name)]).ljust(_HEADER_BYTES, b"\0")
    return header + column.astype(type_name).tobytes()


def decode(blob: bytes) -> Array:
    """Read what `encode` wrote, without a copy."""
    return np.frombuffer(blob, _TYPES[blob[0]], offset=_HEADER_BYTES)


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


def _session_type(choice: int) -> np.dtype[np.void]:
    return np.dtype(
        [(name, types[(choice >> bit) & 1]) for bit, (name, types) in enumerate(_SESSION_CHOICES)]
    )


_SESSION_TYPES = [_session_type(choice) for choice in range(16)]


def encode_session(points: npt.NDArray[np.void]) -> bytes:
    """Write the points of one session, of type POINT, in the order in which they are kept."""
    first_us = points["time_us"].min()
    columns = {
        "metric": points["metric"],
        "series": points["series"],
        "after_us": points["time_us"] - first_us,
        "value": points["value"],
    }
    values = columns["value"]
    is_wide = (
        columns["metric"].max() >= 2**8,
        columns["series"].max() >= 2**16,
        columns["after_us"].max() >= 2**32,
        not ((values >= 0) & (values < 2**8) & (values == np.trunc(values))).all(),
    )
    choice = sum(1 << bit for bit, wide in enumerate(is_wide) if wide)
    written = np.empty(len(points), _SESSION_TYPES[choice])
    for name, column in columns.items():
        written[name] = column
    return bytes([choice]) + int(first_us).to_bytes(8, "little", signed=True) + written.tobytes()


def decode_session(blob: bytes, session_code: int) -> npt.NDArray[np.void]:
    """Read what `encode_session` wrote."""
    read = np.frombuffer(blob, _SESSION_TYPES[blob[0]], offset=9)
    points = np.empty(len(read), POINT)
    points["metric"] = read["metric"]
    points["series"] = read["series"]
    points["session"] = session_code
    first_us = int.from_bytes(blob[1:9], "little", signed=True)
    points["time_us"] = read["after_us"].astype(np.int64) + first_us
    points["value"] = read["value"]
    return points
