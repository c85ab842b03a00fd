"""How the points of one session lie in a blob, so that one session is read at once.

Behind the blob's header come a byte that names the types, 8 bytes of the first time in microseconds
since the epoch, and a structured array: metric, label set, microseconds after that time, value.

Points with distributions among them are a blob of another kind: the size of all that, as uint64,
all that, and the distributions as `distributions` writes them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.sqlite.formats.columns import (
    MOST_DECIMALS,
    Array,
    are_whole,
    in_units,
)
from vumeter_server.custom_metrics.sqlite.formats.distributions import (
    decode_bare_distributions,
    encode_bare_distributions,
)
from vumeter_server.sqlite.blobs import (
    HEADER_BYTES,
    Holds,
    checked_content_of,
    damaged,
    with_header,
)

_START_BYTES = 9
_SIZE_BYTES = 8
_WITH_DISTRIBUTIONS = Holds.SESSION_WITH_DISTRIBUTIONS
# How many decimals whole numbers stand for: from here on 0 to 3.
_DECIMALS_FROM_BIT = 5
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


# Only values in units have decimals.
_TYPE_OF_CHOICE = {
    choice: _session_type(choice)
    for choice in range(1 << 7)
    if choice & _IN_UNITS or not choice >> _DECIMALS_FROM_BIT
}


NO_POINTS = with_header(Holds.SESSION, bytes(_START_BYTES))
"""What is written of a session's day that has no points."""


def encode_sessions(
    points: npt.NDArray[np.void],
    starts: npt.NDArray[np.int64],
    distributions: Distributions | None = None,
) -> list[bytes]:
    """Write runs of points of type POINT, each of one session, in the order in which they are.

    `starts` has the position of each run's first point; there are no empty runs. `distributions`
    are those among the points.
    """
    blobs = _encode_runs(points, starts)
    if distributions is None:
        return blobs
    ends = [*starts[1:].tolist(), len(points)]
    for run, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
        of_run = distributions.between(start, end)
        if of_run is not None:
            content = blobs[run][HEADER_BYTES:]
            size = len(content).to_bytes(_SIZE_BYTES, "little")
            written = size + content + encode_bare_distributions(of_run)
            blobs[run] = with_header(_WITH_DISTRIBUTIONS, written)
    return blobs


def _encode_runs(points: npt.NDArray[np.void], starts: npt.NDArray[np.int64]) -> list[bytes]:
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
        written = np.empty(int(chosen.sum()), _TYPE_OF_CHOICE[choice])
        for name, column in columns.items():
            written[name] = column[chosen]
        if choice & _IN_UNITS:
            written["value"] = in_units(value[chosen], choice >> _DECIMALS_FROM_BIT)
        data, size, at = written.tobytes(), written.itemsize, 0
        for run in np.flatnonzero(choices == choice).tolist():
            end = at + int(counts[run]) * size
            content = bytes([choice]) + firsts[8 * run : 8 * run + 8] + data[at:end]
            blobs[run] = with_header(Holds.SESSION, content)
            at = end
    return blobs


def _choices_of_units(
    values: Array, starts: npt.NDArray[np.int64], wide: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return what is to be added to the choice of each run to write its values in units."""
    added = np.zeros(len(starts), np.int64)
    for decimals in range(MOST_DECIMALS + 1):
        whole = np.logical_and.reduceat(are_whole(values, decimals), starts) & wide & (added == 0)
        if not whole.any():
            continue
        small = np.maximum.reduceat(in_units(values, decimals), starts) < 2**16
        choice = _IN_UNITS | decimals << _DECIMALS_FROM_BIT
        # The bit that says that values are wide then says which of the two types they have.
        added[whole] = np.where(small, choice - (1 << _VALUE_BIT), choice)[whole]
    return added


def read_session(blob: bytes) -> Iterator[tuple[int, int, int, float]]:
    """Yield the points of one run that `encode_sessions` wrote: metric, label set, time, value.

    Raises StorageDamaged if the blob is not as it was written.
    """
    if _has_distributions(blob):
        content, _ = _split(blob)
    else:
        content = checked_content_of(Holds.SESSION, blob) or memoryview(blob)
    choice = content[0] if len(content) >= _START_BYTES else -1
    try:
        read = np.frombuffer(content, _TYPE_OF_CHOICE[choice], offset=_START_BYTES)
    except (KeyError, ValueError):
        raise damaged(Holds.SESSION, "its type or its length is none that is known") from None
    first_us = int.from_bytes(content[1:_START_BYTES], "little", signed=True)
    units = 10.0 ** (choice >> _DECIMALS_FROM_BIT)
    for metric, series, after_us, value in read.tolist():
        yield metric, series, first_us + after_us, value / units


def distributions_of_session(blob: bytes) -> Distributions | None:
    """Return the distributions among the points of one run; None if there are none."""
    return decode_bare_distributions(_split(blob)[1]) if _has_distributions(blob) else None


def _has_distributions(blob: bytes) -> bool:
    return blob[1:2] == _WITH_DISTRIBUTIONS.value and blob[2:4] == b"vm"


def _split(blob: bytes) -> tuple[memoryview, memoryview]:
    content = checked_content_of(_WITH_DISTRIBUTIONS, blob)
    if content is None:
        raise damaged(_WITH_DISTRIBUTIONS, "its header is none that is known")
    end = _SIZE_BYTES + int.from_bytes(content[:_SIZE_BYTES], "little")
    if end > len(content):
        raise damaged(_WITH_DISTRIBUTIONS, "its length does not fit")
    return content[_SIZE_BYTES:end], content[end:]
