"""The figures of an execution: what its calls add up to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vumeter_server.simulation.decimals import MICRO, mean_of_micros, to_micros
from vumeter_server.simulation.model import CALL_STATUSES, NUMBER_NAMES, ExecutionReport

_PLACE = {name: place for place, name in enumerate(NUMBER_NAMES)}
_STATUS_PLACE = {status: place for place, status in enumerate(CALL_STATUSES)}


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanFigure:
    """A documented mean: `group.name` in the answer, over the calls' `source`, rounded."""

    group: str
    name: str
    source: str
    decimals: int


MEANS = tuple(
    MeanFigure(group=group, name=name, source=source, decimals=decimals)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """What the calls of an execution add up to, exactly.

    `calls` counts by status in the order of CALL_STATUSES; `samples` and `micros` count and sum the
    reported values in the order of NUMBER_NAMES, sums in millionths. Totals can be added and taken
    away again, so they are kept up to date call by call.
    """

    calls: list[int] = field(default_factory=lambda: [0] * len(CALL_STATUSES))
    samples: list[int] = field(default_factory=lambda: [0] * len(NUMBER_NAMES))
    micros: list[int] = field(default_factory=lambda: [0] * len(NUMBER_NAMES))

    def add(self, status: str, numbers: Iterable[float | None]) -> None:
        """Count one call in."""
        self._count(status, numbers, 1)

    def remove(self, status: str, numbers: Iterable[float | None]) -> None:
        """Take one call out that was counted in before."""
        self._count(status, numbers, -1)

    def _count(self, status: str, numbers: Iterable[float | None], sign: int) -> None:
        self.calls[_STATUS_PLACE[status]] += sign
        samples, micros = self.samples, self.micros
        for place, value in enumerate(numbers):
            if value is not None:
                samples[place] += sign
                micros[place] += sign * to_micros(value)

    def calls_with(self, status: str) -> int:
        """How many calls have `status`."""
        return self.calls[_STATUS_PLACE[status]]

    def samples_of(self, name: str) -> int:
        """How many calls reported the number `name`."""
        return self.samples[_PLACE[name]]

    def mean(self, figure: MeanFigure) -> float | None:
        """Return the rounded mean, None when no call reported a value."""
        samples = self.samples_of(figure.source)
        if samples == 0:
            return None
        return mean_of_micros(self.micros[_PLACE[figure.source]], samples, figure.decimals)

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """An execution as reported, and what its calls add up to.

    `percentiles` are (percentile, value) of the agent latency, ascending; empty when no call has
    one.
    """

    report: ExecutionReport
    totals: Totals
    percentiles: Sequence[tuple[float, float]]

    @property
    def total_calls(self) -> int:
        """As reported, else counted."""
        reported = self.report.total_calls
        return sum(self.totals.calls) if reported is None else reported

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

    def figure(self, group: str, name: str) -> float | None:
        """Return one value of the answer, such as ("latency.percentiles", "p95"), None if unknown.

        Raises:
            KeyError: there is no such figure, or the percentile was not computed.
        """
        if group == "latency.percentiles":
            by_name = {f"p{percentile:g}": value for percentile, value in self.percentiles}
            return by_name[name] if by_name else None
        return self.totals.mean(_MEANS[group, name])


_MEANS = {(figure.group, figure.name): figure for figure in MEANS}
