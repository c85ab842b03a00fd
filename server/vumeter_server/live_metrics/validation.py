"""What a recorded event must be: the rules for both APIs, checked field by field."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vumeter_server.errors import MAX_VIOLATIONS, InvalidArgument, Violation
from vumeter_server.live_metrics.model import (
    CALL_EVENTS,
    CallOutcome,
    Event,
    EventType,
    RejectionReason,
)
from vumeter_server.times.units import MINUTE_US

MAX_EVENTS: Final = 10_000
MAX_ID: Final = 256
MAX_MINUTES: Final = 1e9
MAX_SEQUENCE: Final = 2**63 - 1
MAX_AHEAD_US: Final = 10 * MINUTE_US

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_REPORTABLE: Final = {kind.name.lower(): kind for kind in EventType if kind is not EventType.CLOSED}
EVENT_TYPES: Final = _REPORTABLE
REASONS: Final = {reason.name.lower(): reason for reason in RejectionReason}
OUTCOMES: Final = {
    outcome.name.lower(): outcome for outcome in CallOutcome if outcome is not CallOutcome.TIMED_OUT
}


class Unreadable:
    """Stands for a value that was given but is none of the known ones."""


UNREADABLE: Final = Unreadable()


@dataclass(frozen=True, kw_only=True, slots=True)
class SentEvent:
    """An event as it was sent: None where nothing was."""

    event_id: str | None
    type: EventType | Unreadable | None
    tenant_id: str | None
    occurred_us: int | Unreadable | None
    call_id: str | None
    reason: RejectionReason | Unreadable | None
    outcome: CallOutcome | Unreadable | None
    minutes: float | None
    sequence: int | None = None


def check(sent: Sequence[SentEvent], now_us: int) -> list[Event]:
    """Return what was sent as events; an empty batch is valid.

    Raises InvalidArgument that names the fields of the first ten problems, such as
    `events[3].minutes`.
    """
    if len(sent) > MAX_EVENTS:
        raise InvalidArgument.of("events", f"must hold at most {MAX_EVENTS:,} events")
    events = []
    violations: list[Violation] = []
    for index, event in enumerate(sent):
        wrong = _problems(event, now_us)
        if wrong:
            violations += [
                Violation(field=f"events[{index}].{field}", problem=problem)
                for field, problem in wrong
            ]
            if len(violations) >= MAX_VIOLATIONS:
                break
        elif not violations:
            events.append(_event(event))
    if violations:
        raise InvalidArgument(violations=violations)
    return events


def _event(event: SentEvent) -> Event:
    # The type checker cannot follow that `_problems` found nothing: no field is Unreadable, and
    # none that must be given is None. Asking again would cost time with every recorded event.
    return Event(
        event_id=event.event_id,  # type: ignore[arg-type]
        type=event.type,  # type: ignore[arg-type]
        tenant_id=event.tenant_id,  # type: ignore[arg-type]
        occurred_us=event.occurred_us,  # type: ignore[arg-type]
        call_id=event.call_id,
        reason=event.reason,  # type: ignore[arg-type]
        outcome=event.outcome,  # type: ignore[arg-type]
        minutes=event.minutes,
        sequence=event.sequence,
    )


def _problems(event: SentEvent, now_us: int) -> list[tuple[str, str]]:
    """Return what is wrong with an event as (field, problem); usually nothing."""
    wrong: list[tuple[str, str]] = []
    kind = event.type
    if kind is None:
        wrong.append(("type", "must be given"))
    elif isinstance(kind, Unreadable):
        wrong.append(("type", f"must be one of {', '.join(_REPORTABLE)}"))
    for field, text in (("event_id", event.event_id), ("tenant_id", event.tenant_id)):
        if problem := id_problem(text):
            wrong.append((field, problem))
    if problem := _time_problem(event.occurred_us, now_us):
        wrong.append(("occurred_at", problem))
    if event.sequence is not None and not 0 <= event.sequence <= MAX_SEQUENCE:
        wrong.append(("sequence", f"must be a whole number from 0 to {MAX_SEQUENCE:,}"))
    if isinstance(kind, EventType):
        wrong += _problems_of_type(event, kind)
    return wrong


def _problems_of_type(event: SentEvent, kind: EventType) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    name = kind.name.lower()
    if kind in CALL_EVENTS:
        if problem := id_problem(event.call_id):
            wrong.append(("call_id", problem))
    elif event.call_id is not None:
        wrong.append(("call_id", f"must not be given for {name}"))
    closed_sets: tuple[tuple[str, object, EventType, Sequence[str]], ...] = (
        ("reason", event.reason, EventType.REJECTED, tuple(REASONS)),
        ("outcome", event.outcome, EventType.ENDED, tuple(OUTCOMES)),
    )
    for field, value, of_kind, known in closed_sets:
        if kind is not of_kind:
            if value is not None:
                wrong.append((field, f"must not be given for {name}"))
        elif value is None:
            wrong.append((field, f"must be given for {name}"))
        elif isinstance(value, Unreadable):
            wrong.append((field, f"must be one of {', '.join(known)}"))
    if problem := _minutes_problem(event.minutes, kind, name):
        wrong.append(("minutes", problem))
    return wrong


def _minutes_problem(minutes: float | None, kind: EventType, name: str) -> str | None:
    if kind not in {EventType.AUDIO, EventType.ENDED}:
        return None if minutes is None else f"must not be given for {name}"
    if minutes is None:
        return "must be given for audio" if kind is EventType.AUDIO else None
    if not math.isfinite(minutes):
        return "must be a finite number"
    if minutes < 0:
        return "must not be negative"
    return f"must be at most {MAX_MINUTES:,.0f}" if minutes > MAX_MINUTES else None


def _time_problem(occurred_us: int | Unreadable | None, now_us: int) -> str | None:
    if occurred_us is None:
        return "must be given"
    if isinstance(occurred_us, Unreadable):
        return "must be an RFC 3339 time with an offset, such as 2025-04-01T10:00:00Z"
    if occurred_us < 0:
        return "must not be before 1970"
    if occurred_us > now_us + MAX_AHEAD_US:
        return "must be at most 10 minutes ahead of the server's clock"
    return None


def id_problem(text: str | None) -> str | None:
    """Return what is wrong with an id, None if nothing is."""
    if not text:
        return "must be given"
    if len(text) > MAX_ID:
        return f"must be at most {MAX_ID} characters"
    # They would be lost on the way through a path, a log or a terminal.
    return "must not hold control characters" if _CONTROL.search(text) else None
