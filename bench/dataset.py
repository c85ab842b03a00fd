"""The data set that everything is measured on: generated, the same at every run.

Voice agents of some companies report what happens in their sessions. The label sets depend only on
their number, not on the number of points, so that a data set of ten times the points grows in
nothing but points and sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
DAYS: Final = 90
POINTS_A_SESSION: Final = 10
SESSION_LASTS_US: Final = 180_000_000

COMPANIES = tuple(f"company_{number:03}" for number in range(100))
BRANCHES = tuple(f"branch-{number}" for number in range(1, 21))
ORIGINS = ("phone", "web", "sms", "whatsapp")
LANGUAGES = ("en", "es", "de", "fr", "zh", "ms")
TOPICS = (
    "pricing",
    "opening_hours",
    "cancellation_policy",
    "directions",
    "availability",
    "payment",
    "complaint",
    "other",
)
ENVIRONMENTS = ("production", "staging")
AGENTS_A_COMPANY = 2
TOPIC_SLOTS = len(TOPICS) + 1
"""Every place has a label set for each topic, and one without a topic."""

Integers = npt.NDArray[np.int64]


class Type(IntEnum):
    """What a metric's values mean, numbered as the product does."""

    COUNTER = 1
    GAUGE = 2
    HISTOGRAM = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A metric, and its share of all points in percent."""

    name: str
    type: Type
    share: int


METRICS = (
    Metric(name="booking_attempt", type=Type.COUNTER, share=8),
    Metric(name="booking_completed", type=Type.COUNTER, share=5),
    Metric(name="cancellation_attempt", type=Type.COUNTER, share=4),
    Metric(name="cancellation_completed", type=Type.COUNTER, share=3),
    Metric(name="faq_query", type=Type.COUNTER, share=10),
    Metric(name="queue_depth", type=Type.GAUGE, share=6),
    Metric(name="response_latency_ms", type=Type.HISTOGRAM, share=18),
    Metric(name="sessions_handled", type=Type.COUNTER, share=10),
    Metric(name="speech_latency_ms", type=Type.HISTOGRAM, share=12),
    Metric(name="tokens_used", type=Type.COUNTER, share=10),
    Metric(name="tool_calls", type=Type.COUNTER, share=10),
    Metric(name="transfer_requested", type=Type.COUNTER, share=4),
)
METRIC_NAMES = tuple(metric.name for metric in METRICS)
COUNTERS = tuple(metric.name for metric in METRICS if metric.type is Type.COUNTER)
HISTOGRAMS = tuple(metric.name for metric in METRICS if metric.type is Type.HISTOGRAM)


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of points, but for the session."""

    agent_id: str
    environment_id: str
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Points in the order of time; every array has one element a point.

    Attributes:
        first_day: the first of the 90 days, in days since the epoch.
        label_sets: all label sets that may occur.
        times_us: microseconds since the epoch, ascending.
        metrics: index into METRICS.
        label_set_indexes: index into `label_sets`.
        sessions: number of the session; see `session_id`.
        values: what was recorded.
    """

    first_day: int
    label_sets: list[LabelSet]
    times_us: Integers
    metrics: npt.NDArray[np.uint8]
    label_set_indexes: npt.NDArray[np.int32]
    sessions: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times_us)

    @property
    def start_us(self) -> int:
        """The first instant of the 90 days."""
        return self.first_day * DAY_US

    @property
    def end_us(self) -> int:
        """The end of the 90 days."""
        return (self.first_day + DAYS) * DAY_US

    @cached_property
    def session_ids(self) -> list[str]:
        """The id of each session."""
        return [session_id(number) for number in range(int(self.sessions.max()) + 1)]


def session_id(number: int) -> str:
    """Return a session's id: random to look at, as callers' ids are."""
    return f"session_{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


def label_sets(places: int) -> list[LabelSet]:
    """Make the label sets of `places` places: a company's branch, agent, origin and language."""
    random = np.random.default_rng(places)
    seen: dict[tuple[int, ...], None] = {}
    sizes = (len(COMPANIES), len(BRANCHES), AGENTS_A_COMPANY, 10, len(ORIGINS), len(LANGUAGES))
    while len(seen) < places:
        seen[tuple(int(random.integers(size)) for size in sizes)] = None
    made = []
    for company, branch, agent, environment, origin, language in seen:
        tags = {
            "company_id": COMPANIES[company],
            "branch_id": BRANCHES[branch],
            "origin": ORIGINS[origin],
            "language": LANGUAGES[language],
        }
        agent_id = f"agent_{company * AGENTS_A_COMPANY + agent:03}"
        # A tenth of the places is staging.
        environment_id = ENVIRONMENTS[environment == 0]
        made.append(LabelSet(agent_id, environment_id, tags))
        made.extend(
            LabelSet(agent_id, environment_id, {**tags, "topic": topic}) for topic in TOPICS
        )
    return made


def generate(
    points: int, *, first_day: int, places: int = 6_000, points_a_session: int = POINTS_A_SESSION
) -> Dataset:
    """Generate a data set of `places` x 9 label sets over 90 days from `first_day`."""
    random = np.random.default_rng(points)
    sessions = max(points // points_a_session, 1)
    session = np.repeat(
        np.arange(sessions, dtype=np.int32), _session_sizes(random, sessions, points)
    )
    starts_us = _session_starts(random, sessions)
    # Half of the sessions are spread evenly, the other half is at the busiest places.
    place = np.where(
        random.random(sessions) < 0.5,
        random.integers(places, size=sessions),
        (places * random.random(sessions) ** 4).astype(np.int64),
    ).astype(np.int32)
    slot = np.where(random.random(points) < 0.5, 0, random.integers(1, TOPIC_SLOTS, size=points))
    times_us = first_day * DAY_US + starts_us[session]
    times_us += random.integers(SESSION_LASTS_US, size=points)
    shares = np.array([metric.share for metric in METRICS]) / 100
    metrics = random.choice(len(METRICS), size=points, p=shares).astype(np.uint8)
    label_set_indexes = (place[session] * TOPIC_SLOTS + slot).astype(np.int32)
    values = _values(random, metrics)
    order = np.argsort(times_us, kind="stable")
    return Dataset(
        first_day=first_day,
        label_sets=label_sets(places),
        times_us=times_us[order],
        metrics=metrics[order],
        label_set_indexes=label_set_indexes[order],
        sessions=session[order],
        values=values[order],
    )


def _session_sizes(random: np.random.Generator, sessions: int, points: int) -> Integers:
    mean = points // sessions
    sizes = random.integers(mean // 2, mean + mean // 2 + 1, size=sessions)
    difference = points - int(sizes.sum())
    step = 1 if difference > 0 else -1
    while difference:
        changed = min(abs(difference), sessions)
        sizes[:changed] += step
        difference -= step * changed
    return np.maximum(sizes, 0)


def _session_starts(random: np.random.Generator, sessions: int) -> Integers:
    """Return when sessions start within the 90 days: more by day than by night."""
    by_hour = 1.2 + np.sin((np.arange(24) - 8) / 24 * 2 * np.pi)
    hour = random.choice(24, size=sessions, p=by_hour / by_hour.sum())
    day = random.integers(DAYS, size=sessions)
    within_us = random.integers(HOUR_US, size=sessions)
    last_us = DAYS * DAY_US - SESSION_LASTS_US
    starts_us: Integers = np.minimum(day * DAY_US + hour * HOUR_US + within_us, last_us)
    return starts_us


def _values(random: np.random.Generator, metrics: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    points = len(metrics)
    values = np.ones(points)
    few = random.random(points) < 0.1
    values[few] = random.integers(2, 5, size=int(few.sum()))
    for name, drawn in (
        ("tokens_used", random.integers(20, 2_000, size=points)),
        ("queue_depth", random.integers(0, 40, size=points)),
        ("response_latency_ms", np.round(random.lognormal(6.46, 0.5, size=points), 1)),
        ("speech_latency_ms", np.round(random.lognormal(5.2, 0.4, size=points), 1)),
    ):
        chosen = metrics == METRIC_NAMES.index(name)
        values[chosen] = drawn[chosen]
    return values
