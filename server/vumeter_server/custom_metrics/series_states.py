"""How the last values of exported series are written.

First comes the number of series of numbers, as uint32, then their rows of 40 bytes (series, start,
time of the last point in nanoseconds, last value), and the histograms as MessagePack: the same with
the histogram in the place of the value.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
import numpy as np

from vumeter_server.custom_metrics.exported import SERIES_BYTES
from vumeter_server.custom_metrics.given_distributions import (
    ExponentialBuckets,
    GivenDistribution,
)
from vumeter_server.custom_metrics.increments import Last, SeriesStates

_COUNT_BYTES: Final = 4
_ROW: Final = struct.Struct(f"<{SERIES_BYTES}sqqd")
_ROWS: Final = np.dtype(
    [("series", f"V{SERIES_BYTES}"), ("start", "<i8"), ("time", "<i8"), ("value", "<f8")]
)


class _Histogram(msgspec.Struct, array_like=True):
    count: int
    sum: float
    min: float | None
    max: float | None
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    scale: int | None
    zero_count: int
    positive_offset: int
    positive: tuple[int, ...]
    negative_offset: int
    negative: tuple[int, ...]


class _Row(msgspec.Struct, array_like=True):
    series: bytes
    start_ns: int
    time_ns: int
    histogram: _Histogram


_decode_histograms = msgspec.msgpack.Decoder(list[_Row]).decode
_encode_histograms = msgspec.msgpack.Encoder().encode


def write_states(states: SeriesStates) -> bytes:
    """Write the states of the series of one metric and exporter."""
    pack = _ROW.pack
    numbers = [
        pack(series, start_ns, last.time_ns, last.value)
        for series, starts in states.lasts.items()
        for start_ns, last in starts.items()
        if last.histogram is None
    ]
    histograms = [
        _Row(series, start_ns, last.time_ns, _row_of(last.histogram))
        for series, starts in (states.lasts if len(numbers) < len(states) else {}).items()
        for start_ns, last in starts.items()
        if last.histogram is not None
    ]
    content = len(numbers).to_bytes(_COUNT_BYTES, "little") + b"".join(numbers)
    return content + _encode_histograms(histograms)


def read_states(content: bytes | memoryview) -> SeriesStates:
    """Read what `write_states` wrote; raises ValueError if it is not as it was written."""
    states = SeriesStates()
    count = int.from_bytes(content[:_COUNT_BYTES], "little")
    rows = np.frombuffer(content, _ROWS, count, offset=_COUNT_BYTES)
    try:
        histograms = _decode_histograms(content[_COUNT_BYTES + count * _ROWS.itemsize :])
    except msgspec.DecodeError:
        raise ValueError("the histograms cannot be read") from None
    for series, start_ns, time_ns, value in rows.tolist():
        states.lasts.setdefault(bytes(series), {})[start_ns] = Last(time_ns, value)
    for row in histograms:
        starts = states.lasts.setdefault(row.series, {})
        starts[row.start_ns] = Last(row.time_ns, histogram=_histogram_of(row.histogram))
    return states


def _row_of(histogram: GivenDistribution) -> _Histogram:
    return _Histogram(
        histogram.count,
        histogram.sum,
        histogram.min,
        histogram.max,
        histogram.bounds,
        histogram.counts,
        histogram.scale,
        histogram.zero_count,
        histogram.positive.offset,
        histogram.positive.counts,
        histogram.negative.offset,
        histogram.negative.counts,
    )


def _histogram_of(row: _Histogram) -> GivenDistribution:
    return GivenDistribution(
        count=row.count,
        sum=row.sum,
        min=row.min,
        max=row.max,
        bounds=row.bounds,
        counts=row.counts,
        scale=row.scale,
        zero_count=row.zero_count,
        positive=ExponentialBuckets(row.positive_offset, row.positive),
        negative=ExponentialBuckets(row.negative_offset, row.negative),
    )
