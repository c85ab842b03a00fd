"""Sessions of invented practices: who calls when, about what, and which agent answers."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vumeter_server.times.units import HOUR_US, SECOND_US
from vumeter_server.times.zones import find_zone, offset_at

# Sessions an hour of local time, of a practice of weight 1 on a full working day.
_SESSIONS_BY_HOUR = (
    *(0.3, 0.2, 0.1, 0.1, 0.1, 0.3, 1.0, 3.0, 6.5, 8.0, 7.5, 6.5),
    *(4.5, 4.0, 6.0, 6.5, 6.0, 5.5, 4.5, 3.0, 2.0, 1.4, 0.9, 0.5),
)
# Monday to Sunday: what was put off over the weekend is asked on Monday.
_BY_WEEKDAY = (1.25, 1.05, 1.0, 1.0, 0.95, 0.45, 0.2)
_OPENING_HOURS = range(8, 19)

_TOPICS = {
    "pricing": 0.28,
    "opening_hours": 0.24,
    "cancellation_policy": 0.14,
    "insurance": 0.14,
    "parking": 0.11,
    "preparation": 0.09,
}
_TRANSFER_REASONS = {"asked_for_human": 0.5, "not_understood": 0.3, "emergency": 0.2}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Practice:
    company_id: str
    branches: Sequence[str]
    timezone: str
    weight: float


_PRACTICES = (
    _Practice(
        company_id="nordlicht-physio",
        branches=("altona", "mitte", "sendling"),
        timezone="Europe/Berlin",
        weight=0.75,
    ),
    _Practice(
        company_id="harbour-dental",
        branches=("camden", "soho"),
        timezone="Europe/London",
        weight=0.6,
    ),
    _Practice(
        company_id="maple-veterinary",
        branches=("queen-west", "scarborough"),
        timezone="America/Toronto",
        weight=0.55,
    ),
    _Practice(
        company_id="umeda-eye-clinic", branches=("umeda",), timezone="Asia/Tokyo", weight=0.4
    ),
    _Practice(
        company_id="casa-verde-spa", branches=("centro",), timezone="Europe/Madrid", weight=0.3
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One call or chat, which lies within one hour (UTC).

    `ttft_ms` and `speech_ms` are what its turns are around: the time to the model's first token,
    and from there to the first sound.
    """

    session_id: str
    agent_id: str
    environment_id: str
    tags: Mapping[str, str]
    start_us: int
    duration_us: int
    turns: int
    ttft_ms: float
    speech_ms: float
    intents: Sequence[str]
    topics: Sequence[str]
    transfer_reason: str | None


def sessions_of_hour(hour_us: int, name: str, rng: random.Random) -> list[Session]:
    """Return the sessions of the hour that starts at `hour_us`, whose ids begin with its name."""
    sessions: list[Session] = []
    for practice in _PRACTICES:
        local = _local_time(hour_us, practice.timezone)
        expected = _SESSIONS_BY_HOUR[local.hour] * _BY_WEEKDAY[local.weekday()] * practice.weight
        count = _poisson(expected, rng)
        # A busy hour is felt in every answer.
        slowness = 1.0 + 0.02 * count
        for _ in range(count):
            session_id = f"demo-{name}-{len(sessions) + 1:03}"
            sessions.append(_session(session_id, practice, hour_us, local.hour, slowness, rng))
    return sessions


def _session(
    session_id: str,
    practice: _Practice,
    hour_us: int,
    local_hour: int,
    slowness: float,
    rng: random.Random,
) -> Session:
    on_phone = rng.random() < 0.7
    if not on_phone:
        agent_id, ttft_ms, speech_ms = "agent_web_chat", 310.0, 90.0
    elif local_hour in _OPENING_HOURS:
        agent_id, ttft_ms, speech_ms = "agent_front_desk", 380.0, 260.0
    else:
        agent_id, ttft_ms, speech_ms = "agent_night_shift", 450.0, 270.0
    turns = rng.randint(3, 12)
    duration_us = round(turns * rng.uniform(9.0, 16.0)) * SECOND_US
    tags = {
        "company_id": practice.company_id,
        "branch_id": rng.choice(practice.branches),
        "origin": "phone" if on_phone else "web",
    }
    intents, topics, transfer_reason = _errand(rng)
    return Session(
        session_id=session_id,
        agent_id=agent_id,
        environment_id="staging" if rng.random() < 0.05 else "production",
        tags=tags,
        start_us=hour_us + rng.randrange((HOUR_US - duration_us) // 1_000) * 1_000,
        duration_us=duration_us,
        turns=turns,
        ttft_ms=ttft_ms * slowness,
        speech_ms=speech_ms,
        intents=intents,
        topics=topics,
        transfer_reason=transfer_reason,
    )


def _errand(rng: random.Random) -> tuple[list[str], list[str], str | None]:
    """Draw what a caller wants: bookings and cancellations, questions, a human."""
    drawn = rng.random()
    intents: list[str] = []
    questions = int(rng.random() < 0.25)
    if drawn < 0.46:
        intents = ["booking"]
    elif drawn < 0.60:
        # Half of those who cancel want another appointment.
        intents = ["cancellation", "booking"] if rng.random() < 0.5 else ["cancellation"]
    else:
        questions = rng.randint(1, 3)
    topics = [_draw(_TOPICS, rng) for _ in range(questions)]
    reason = _draw(_TRANSFER_REASONS, rng) if rng.random() < 0.09 else None
    return intents, topics, reason


def _draw(weights: Mapping[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _poisson(mean: float, rng: random.Random) -> int:
    """Draw from a Poisson distribution by counting arrivals (Knuth's method)."""
    limit = math.exp(-mean)
    count, product = 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _local_time(instant_us: int, timezone: str) -> datetime:
    local_us = instant_us + offset_at(instant_us, find_zone(timezone))
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=local_us)
