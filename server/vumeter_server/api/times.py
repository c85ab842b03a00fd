"""Timestamps and durations of messages as microseconds since the epoch, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from google.protobuf import duration_pb2, timestamp_pb2

from vumeter_server.errors import InvalidArgument
from vumeter_server.times.units import SECOND_US

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# What a Timestamp may hold: the years 1 to 9999.
FIRST_SECOND = -62_135_596_800
END_SECOND = 253_402_300_800
NANOS = 1_000_000_000


def instant_us(timestamp: timestamp_pb2.Timestamp, field: str) -> int:
    """Return an instant, without what is below a microsecond; raises InvalidArgument for none."""
    if not (FIRST_SECOND <= timestamp.seconds < END_SECOND and 0 <= timestamp.nanos < NANOS):
        raise InvalidArgument.of(field, "must be a valid timestamp of the years 1 to 9999")
    return timestamp.seconds * SECOND_US + timestamp.nanos // 1_000


def instants_us(timestamps: Sequence[Any], field: str) -> npt.NDArray[np.int64]:
    """Do as `instant_us` for many; the number of the first wrong one replaces `{}` in `field`."""
    import numpy as np  # noqa: PLC0415 - commands that ask a server with one instant do without it

    seconds = np.array([each.seconds for each in timestamps], np.int64)
    nanos = np.array([each.nanos for each in timestamps], np.int64)
    wrong = (seconds < FIRST_SECOND) | (seconds >= END_SECOND) | (nanos < 0) | (nanos >= NANOS)
    if wrong.any():
        first = int(wrong.argmax())
        instant_us(timestamps[first], field.format(first))
    return seconds * SECOND_US + nanos // 1_000


def duration_us(duration: duration_pb2.Duration, field: str) -> int:
    """Return a positive duration of whole microseconds; raises InvalidArgument for another."""
    length_us = duration.seconds * SECOND_US + duration.nanos // 1_000
    if length_us <= 0 or duration.nanos % 1_000 or not length_us < 2**62:
        raise InvalidArgument.of(field, "must be a positive duration of whole microseconds")
    return length_us


@overload
def timestamp(instant_us: int) -> timestamp_pb2.Timestamp: ...
@overload
def timestamp(instant_us: int | None) -> timestamp_pb2.Timestamp | None: ...
def timestamp(instant_us: int | None) -> timestamp_pb2.Timestamp | None:
    """Return an instant as a message, and none as None."""
    if instant_us is None:
        return None
    seconds, microseconds = divmod(instant_us, SECOND_US)
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=microseconds * 1_000)
