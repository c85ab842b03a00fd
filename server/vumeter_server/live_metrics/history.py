"""History: what happened in each bucket of a range, with the exact peak of active calls.

The range is read as spans in order of time: stored rollups of an hour or a minute, or single
instants where a bucket's edge cuts a rollup. A span never reaches over the edge of a bucket.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from vumeter_server.live_metrics.counters import ZERO, Counters, plus


class Span(NamedTuple):
    """What happened in [start_us, end_us).

    `net` is the change of the number of active calls over the span, `peak` its greatest value at
    any instant of the span, both relative to the number just before the span.
    """

    start_us: int
    end_us: int
    counted: Counters
    net: int
    peak: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Buckets:
    """Buckets of `step_us` from `start_us`; the last one ends at `end_us`."""

    start_us: int
    end_us: int
    step_us: int

    @property
    def number(self) -> int:
        """How many there are."""
        return -(-(self.end_us - self.start_us) // self.step_us)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """What happened from `start_us` to the next bucket or the end of the range."""

    start_us: int
    counted: Counters
    active_calls: int
    """At the bucket's end."""
    peak_active_calls: int


def fill_buckets(buckets: Buckets, active_before: int, spans: Iterable[Span]) -> list[Bucket]:
    """Return every bucket, given the number of active calls just before the first.

    `spans` are in order of time and do not overlap; where there is none nothing happened.
    """
    start, step, number = buckets.start_us, buckets.step_us, buckets.number
    counted = [ZERO] * number
    nets = [0] * number
    peaks = [0] * number
    active, known_until = active_before, start

    def hold(until: int) -> None:
        # From `known_until` on the number of active calls stayed the same.
        if until > known_until:
            first, last = (known_until - start) // step, (until - 1 - start) // step
            for index in range(first, last + 1):
                peaks[index] = max(peaks[index], active)

    for span in spans:
        hold(span.start_us)
        index = (span.start_us - start) // step
        counted[index] = plus(counted[index], span.counted)
        nets[index] += span.net
        peaks[index] = max(peaks[index], active + span.peak)
        active += span.net
        known_until = span.end_us
    hold(buckets.end_us)

    answer = []
    active = active_before
    for index in range(number):
        active += nets[index]
        answer.append(
            Bucket(
                start_us=start + index * step,
                counted=counted[index],
                active_calls=active,
                peak_active_calls=peaks[index],
            )
        )
    return answer


def relative_peak(start_us: int, changes: Iterable[tuple[int, int]]) -> int:
    """Return a span's `peak` from the changes in it: (instant, net change), in order of time.

    Ends and starts at one instant are one change, so a call that ends as another starts is not
    counted beside it.
    """
    active = 0
    peak: int | None = None
    for us, change in changes:
        if peak is None and us > start_us:
            peak = 0
        active += change
        peak = active if peak is None else max(peak, active)
    return peak or 0


def joined_peak(start_us: int, spans: Iterable[Span]) -> int:
    """Return the `peak` of a span from `start_us` that is made of `spans`, in order of time."""
    active = 0
    peak: int | None = None
    for span in spans:
        if peak is None and span.start_us > start_us:
            peak = 0
        peak = active + span.peak if peak is None else max(peak, active + span.peak)
        active += span.net
    return peak or 0
