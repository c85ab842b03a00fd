"""The query mix: what is asked, with parameters that differ from ask to ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.asks import Ask, Kind
from bench.dataset import (
    BRANCHES,
    COMPANIES,
    COUNTERS,
    DAY_US,
    DAYS,
    HISTOGRAMS,
    HOUR_US,
    LANGUAGES,
    METRIC_NAMES,
    ORIGINS,
    TOPICS,
    Dataset,
)

LABEL_VALUES = {
    "company_id": COMPANIES,
    "branch_id": BRANCHES,
    "origin": ORIGINS,
    "language": LANGUAGES,
    "topic": TOPICS,
}
SINGAPORE = "Asia/Singapore"


class Draw:
    """Draws parameters; the same ones at every run."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self._random = np.random.default_rng(seed)

    def below(self, end: int) -> int:
        """Return a number from 0 to `end` - 1."""
        return int(self._random.integers(end))

    def one(self, items: tuple[str, ...]) -> str:
        """Return one of the items."""
        return items[self.below(len(items))]

    def some(self, items: tuple[str, ...], count: int) -> tuple[str, ...]:
        """Return `count` of the items."""
        return tuple(items[i] for i in self._random.choice(len(items), count, replace=False))

    def hours(self, days: int) -> dict[str, Any]:
        """Return a range of so many days that begins at a whole hour."""
        start_us = self.dataset.start_us + self.below((DAYS - days) * 24 + 1) * HOUR_US
        return {"start_us": start_us, "end_us": start_us + days * DAY_US}

    def anywhere(self, days: int) -> dict[str, Any]:
        """Return a range of so many days that begins at any microsecond."""
        start_us = self.dataset.start_us + self.below((DAYS - days) * DAY_US)
        return {"start_us": start_us, "end_us": start_us + days * DAY_US}

    def nearly_all_days(self) -> dict[str, Any]:
        """Return a range of 84 to 90 whole days."""
        dataset = self.dataset
        return {
            "start_us": dataset.start_us + self.below(4) * DAY_US,
            "end_us": dataset.end_us - self.below(4) * DAY_US,
        }

    def agent(self) -> str:
        """Return an agent's id."""
        return self.dataset.label_sets[self.below(len(self.dataset.label_sets))].agent_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query of the mix; one that is not among Q1 to Q9 shows how parameters change its cost."""

    name: str
    what: str
    ask: Callable[[Draw], Ask]

    def asks(self, dataset: Dataset, count: int) -> list[Ask]:
        """Return `count` asks, as different as their parameters allow."""
        draw = Draw(dataset, seed=sum(self.name.encode()))
        return [self.ask(draw) for _ in range(count)]


def _q4(draw: Draw) -> Ask:
    start_us = draw.dataset.start_us - 8 * HOUR_US + (1 + draw.below(DAYS - 30)) * DAY_US
    return Ask(
        kind=Kind.DAILY,
        start_us=start_us,
        end_us=start_us + 30 * DAY_US,
        zone=SINGAPORE,
        metric_names=draw.some(METRIC_NAMES, 3),
    )


def _q9(draw: Draw) -> Ask:
    by, filtered = (
        (("company_id", "branch_id"), ("origin", "language", "topic")),
        (("company_id", "topic"), ("origin", "language", "branch_id")),
        (("branch_id", "language"), ("origin", "topic", "company_id")),
    )[draw.below(3)]
    key = draw.one(filtered)
    return Ask(
        kind=Kind.AGGREGATE,
        filters=((key, draw.one(LABEL_VALUES[key])),),
        group_by=by,
        **draw.nearly_all_days(),
    )


def _timeseries(draw: Draw, names: tuple[str, ...], **more: Any) -> Ask:
    return Ask(kind=Kind.TIMESERIES, metric_name=draw.one(names), **draw.hours(7), **more)


Q1 = Query(name="Q1", what="metric names", ask=lambda _: Ask(kind=Kind.NAMES))
Q2 = Query(
    name="Q2",
    what="aggregate, 14 days, all metrics",
    ask=lambda draw: Ask(kind=Kind.AGGREGATE, **draw.hours(14)),
)
Q3 = Query(
    name="Q3",
    what="aggregate, 90 days, groupBy one label",
    ask=lambda draw: Ask(
        kind=Kind.AGGREGATE, group_by=(draw.one(tuple(LABEL_VALUES)),), **draw.nearly_all_days()
    ),
)
Q4 = Query(name="Q4", what="daily, 30 days, 3 metrics, Asia/Singapore", ask=_q4)
Q5 = Query(
    name="Q5",
    what="timeseries of a counter, 7 days, step 1h",
    ask=lambda draw: _timeseries(draw, COUNTERS),
)
Q6 = Query(
    name="Q6",
    what="timeseries p95 of a histogram, 7 days, step 1h",
    ask=lambda draw: _timeseries(draw, HISTOGRAMS),
)
Q7 = Query(name="Q7", what="tag keys and values", ask=lambda _: Ask(kind=Kind.TAGS))
Q8 = Query(
    name="Q8",
    what="one session",
    ask=lambda draw: Ask(
        kind=Kind.SESSION,
        session_id=draw.dataset.session_ids[draw.below(len(draw.dataset.session_ids))],
    ),
)
Q9 = Query(name="Q9", what="aggregate, 90 days, one tag filter, groupBy two labels", ask=_q9)
MIX = (Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8, Q9)

Q1_OF_AGENT = Query(
    name="Q1a",
    what="metric names of an agent",
    ask=lambda draw: Ask(kind=Kind.NAMES, agent_id=draw.agent()),
)
Q2_ANYWHERE = Query(
    name="Q2u",
    what="Q2 with ends anywhere",
    ask=lambda draw: Ask(kind=Kind.AGGREGATE, **draw.anywhere(14)),
)
Q4_ANYWHERE = Query(
    name="Q4u",
    what="Q4 with ends anywhere",
    ask=lambda draw: Ask(
        kind=Kind.DAILY,
        zone=SINGAPORE,
        metric_names=draw.some(METRIC_NAMES, 3),
        **draw.anywhere(30),
    ),
)
Q5_ANYWHERE = Query(
    name="Q5u",
    what="Q5 with ends anywhere: every bucket begins within an interval",
    ask=lambda draw: Ask(kind=Kind.TIMESERIES, metric_name=draw.one(COUNTERS), **draw.anywhere(7)),
)
# Each beside the query that it differs from in nothing but where its range ends.
ANYWHERE = ((Q2, Q2_ANYWHERE), (Q4, Q4_ANYWHERE), (Q5, Q5_ANYWHERE))
Q2_OF_AGENT = Query(
    name="Q2a",
    what="Q2 of an agent",
    ask=lambda draw: Ask(kind=Kind.AGGREGATE, agent_id=draw.agent(), **draw.hours(14)),
)
Q5_FILTERED = Query(
    name="Q5t",
    what="Q5 with a tag filter",
    ask=lambda draw: Ask(
        kind=Kind.TIMESERIES,
        metric_name=draw.one(COUNTERS),
        filters=(("company_id", draw.one(COMPANIES)),),
        **draw.hours(7),
    ),
)
Q7_OF_METRIC = Query(
    name="Q7m",
    what="tags of a metric",
    ask=lambda draw: Ask(kind=Kind.TAGS, metric_name=draw.one(METRIC_NAMES)),
)
Q7_OF_AGENT = Query(
    name="Q7a",
    what="tags of an agent",
    ask=lambda draw: Ask(kind=Kind.TAGS, agent_id=draw.agent()),
)
VARIANTS = (Q1_OF_AGENT, Q2_ANYWHERE, Q2_OF_AGENT, Q5_FILTERED, Q7_OF_METRIC, Q7_OF_AGENT)
