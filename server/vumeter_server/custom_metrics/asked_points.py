"""Which points to delete or to export, as it was asked, and the rules for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from vumeter_server.custom_metrics.labels import check_metric_names
from vumeter_server.custom_metrics.matchers import Matcher, check_matchers
from vumeter_server.custom_metrics.questions import END_OF_TIME_US
from vumeter_server.errors import InvalidArgument
from vumeter_server.times.rfc3339 import format_rfc3339

MAX_SHOWN: Final = 20
MAX_SHOWN_TEXT: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedPoints:
    """Points as they were asked for; those of all time, metrics and labels if nothing is given.

    Attributes:
        start_us: the first instant, in microseconds since the epoch; None for no bound.
        end_us: the first instant after the range; None for no bound.
        metric_names: of which metrics; none for all.
        filters: what points have to match.
    """

    start_us: int | None = None
    end_us: int | None = None
    metric_names: Sequence[str] = ()
    filters: Sequence[Matcher] = ()


def in_words(asked: AskedPoints) -> dict[str, Any]:
    """Return what is asked for as plain values for the audit, cut where it is long."""
    bounds = {"start": asked.start_us, "end": asked.end_us}
    lists = {
        "metrics": [*asked.metric_names],
        "filters": [
            f"{each.label} {each.operator.value} {', '.join(each.values)}"[:MAX_SHOWN_TEXT]
            for each in asked.filters
        ],
    }
    words: dict[str, Any] = {
        name: format_rfc3339(instant_us)
        for name, instant_us in bounds.items()
        if instant_us is not None
    }
    for name, items in lists.items():
        if items:
            more = [f"and {len(items) - MAX_SHOWN} more"] if len(items) > MAX_SHOWN else []
            words[name] = items[:MAX_SHOWN] + more
    return words


class CheckedPoints(NamedTuple):
    """What keeps every rule, as a store is asked."""

    start_us: int
    end_us: int
    metric_names: Sequence[str] | None
    filters: Sequence[Matcher]


def check_points(asked: AskedPoints) -> CheckedPoints:
    """Return what is asked of the store; raises InvalidArgument naming the first wrong field."""
    names = check_metric_names(asked.metric_names)
    filters = check_matchers(asked.filters, "filters")
    start_us, end_us = asked.start_us, asked.end_us
    if start_us is not None and end_us is not None and end_us < start_us:
        raise InvalidArgument.of("end_date", "must not be before the start of the range")
    return CheckedPoints(
        start_us=start_us or 0,
        end_us=END_OF_TIME_US if end_us is None else end_us,
        metric_names=names or None,
        filters=filters,
    )
