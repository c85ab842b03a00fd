"""What the calls of an execution add up to: counts, sums, means and percentiles.

Every rule of the answers stands here: which number a metric comes from, how it is rounded, which
percentiles are documented, and which count wins. Nothing here knows where calls are stored.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vumeter_server.simulation.decimals import (
    MICRO,
    exact,
    mean_of_micros,
    round_fraction,
    to_micros,
)
from vumeter_server.simulation.model import CALL_STATUSES, NUMBER_NAMES, ExecutionReport

DOCUMENTED_PERCENTILES = (50.0, 95.0, 99.0)
PERCENTILE_DECIMALS = 1
PERCENTILE_SOURCE = "avg_agent_latency_ms"
PERCENTILE_GROUP = "latency.percentiles"

_PLACE = {name: place for place, name in enumerate(NUMBER_NAMES)}
_STATUS_PLACE = {status: place for place, status in enumerate(CALL_STATUSES)}


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanMetric:
    """A documented mean: `group.name` in the answer, over the calls' `source`, rounded."""

    group: str
    name: str
    source: str
    decimals: int


MEANS = tuple(
    MeanMetric(group=group, name=name, source=source, decimals=decimals)
    for group, name, source, decimals in (
        ("latency", "avg_agent_latency_ms", "avg_agent_latency_ms", 0),
        ("latency", "avg_response_time_ms", "response_time_ms", 0),
        ("conversation", "avg_user_wpm", "user_wpm", 1),
        ("conversation", "avg_bot_wpm", "bot_wpm", 1),
        ("conversation", "avg_talk_ratio", "talk_ratio", 2),
        ("conversation", "avg_user_interruption_rate", "user_interruption_rate", 2),
        ("conversation", "avg_ai_interruption_rate", "ai_interruption_rate", 2),
        (
            "conversation",
            "avg_stop_time_after_interruption_ms",
            "avg_stop_time_after_interruption_ms",
            0,
        ),
        ("chat", "avg_total_tokens", "total_tokens", 0),
        ("chat", "avg_input_tokens", "input_tokens", 0),
        ("chat", "avg_output_tokens", "output_tokens", 0),
        ("chat", "avg_chat_latency_ms", "avg_latency_ms", 1),
        ("chat", "avg_turn_count", "turn_count", 0),
        ("chat", "avg_csat_score", "csat_score", 2),
    )
)
_MEANS = {(metric.group, metric.name): metric for metric in MEANS}

SUMS = {
    "total_duration_seconds": "duration_seconds",
    "total_cost_cents": "total_cost_cents",
    "stt_cost_cents": "stt_cost_cents",
    "llm_cost_cents": "llm_cost_cents",
    "tts_cost_cents": "tts_cost_cents",
}
"""The sums of the group `cost` by name, and the number of a call that each adds up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallTotals:
    """What the calls of an execution add up to, exactly.

    `calls` counts by status in the order of CALL_STATUSES; `samples` and `micros` count and sum the
    reported values in the order of NUMBER_NAMES, sums in millionths. Calls can be added and removed
    again without an error that grows, so totals are kept up to date call by call.
    """

    calls: list[int] = field(default_factory=lambda: [0] * len(CALL_STATUSES))
    samples: list[int] = field(default_factory=lambda: [0] * len(NUMBER_NAMES))
    micros: list[int] = field(default_factory=lambda: [0] * len(NUMBER_NAMES))

    def add(self, status: str, numbers: Iterable[float | None]) -> None:
        """Add one call."""
        self._count(status, numbers, 1)

    def remove(self, status: str, numbers: Iterable[float | None]) -> None:
        """Remove one call that was added before."""
        self._count(status, numbers, -1)

    def _count(self, status: str, numbers: Iterable[float | None], sign: int) -> None:
        self.calls[_STATUS_PLACE[status]] += sign
        samples, micros = self.samples, self.micros
        for place, value in enumerate(numbers):
            if value is not None:
                samples[place] += sign
                micros[place] += sign * to_micros(value)

    @property
    def all_calls(self) -> int:
        """How many calls there are, whatever their status."""
        return sum(self.calls)

    def calls_with(self, status: str) -> int:
        """How many calls have `status`."""
        return self.calls[_STATUS_PLACE[status]]

    def samples_of(self, name: str) -> int:
        """How many calls reported the number `name`."""
        return self.samples[_PLACE[name]]

    def mean(self, metric: MeanMetric) -> float | None:
        """Return the rounded mean, None when no call reported a value."""
        samples = self.samples_of(metric.source)
        if samples == 0:
            return None
        return mean_of_micros(self.micros[_PLACE[metric.source]], samples, metric.decimals)

    def sum_of(self, name: str) -> int | float | None:
        """Return the sum: an int when it is whole and below 2^53, None when nothing was reported.

        A sum beyond the range of a double is given as the greatest double.
        """
        if self.samples_of(name) == 0:
            return None
        whole, rest = divmod(self.micros[_PLACE[name]], MICRO)
        if rest == 0 and whole < 2**53:
            return whole
        try:
            return self.micros[_PLACE[name]] / MICRO
        except OverflowError:
            return sys.float_info.max


def percentile_source(numbers: Sequence[float | None]) -> float | None:
    """Return the number of a call that percentiles are computed over, None if not reported.

    `numbers` are in the order of NUMBER_NAMES.
    """
    return numbers[_PERCENTILE_PLACE]


_PERCENTILE_PLACE = _PLACE[PERCENTILE_SOURCE]


def percentile_name(percentile: float) -> str:
    """Return the name of a percentile in the answers: `p95` for 95."""
    return f"p{percentile:g}"


def percentiles_of(
    values: NDArray[np.float64], wanted: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """Return (percentile, value) for each of `wanted` (0 to 100), rounded to 1 decimal.

    `values` is float64[calls], finite, in any order; if it is empty, so is the answer. The method
    is linear between the closest ranks (numpy's "linear"): with n values in order and p a
    percentile, its place is h = (n - 1) * p / 100, and its value lies between the values at
    floor(h) and floor(h) + 1, as far along as the fraction of h says. Computed exactly on the
    decimals reported, then rounded half away from zero.
    """
    if values.size == 0:
        return ()
    places = [exact(p) * (values.size - 1) / 100 for p in wanted]
    ranks = {rank for place in places for rank in (place.__floor__(), place.__ceil__())}
    ordered = np.partition(values, sorted(ranks)) if ranks else values
    return tuple(
        (percentile, round_fraction(_between(ordered, place), PERCENTILE_DECIMALS))
        for percentile, place in zip(wanted, places, strict=True)
    )


def _between(ordered: NDArray[np.float64], place: Fraction) -> Fraction:
    low = exact(float(ordered[place.__floor__()]))
    high = exact(float(ordered[place.__ceil__()]))
    return low + (high - low) * (place - place.__floor__())


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionMetrics:
    """An execution as reported, and what its calls add up to.

    `percentiles` are (percentile, value) of the agent latency in milliseconds, ascending; empty
    when no call has one.
    """

    report: ExecutionReport
    totals: CallTotals
    percentiles: Sequence[tuple[float, float]]

    @property
    def total_calls(self) -> int:
        """As reported, else counted."""
        reported = self.report.total_calls
        return self.totals.all_calls if reported is None else reported

    @property
    def completed_calls(self) -> int:
        """As reported, else counted."""
        reported = self.report.completed_calls
        return self.totals.calls_with("completed") if reported is None else reported

    @property
    def failed_calls(self) -> int:
        """As reported, else counted."""
        reported = self.report.failed_calls
        return self.totals.calls_with("failed") if reported is None else reported

    def value(self, group: str, name: str) -> float | None:
        """Return one value of the answer, such as ("latency.percentiles", "p95"), None if unknown.

        Raises:
            KeyError: there is no such metric, or the percentile was not computed.
        """
        if group == PERCENTILE_GROUP:
            by_name = {percentile_name(each): value for each, value in self.percentiles}
            return by_name[name] if by_name else None
        return self.totals.mean(_MEANS[group, name])
