"""Events as messages, and the words of both for types, reasons and outcomes."""

from __future__ import annotations

from collections.abc import Mapping

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.api.page_tokens import ResumeToken
from vumeter_server.api.times import instant_us, timestamp
from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason
from vumeter_server.live_metrics.store import EventsPage, EventsQuery

# The numbers are the proto's own: those of the core's enums are what is stored.
TYPES: Mapping[int, EventType] = {
    pb.EVENT_TYPE_PENDING: EventType.PENDING,
    pb.EVENT_TYPE_ACCEPTED: EventType.ACCEPTED,
    pb.EVENT_TYPE_REJECTED: EventType.REJECTED,
    pb.EVENT_TYPE_STARTED: EventType.STARTED,
    pb.EVENT_TYPE_AUDIO: EventType.AUDIO,
    pb.EVENT_TYPE_REFERRED: EventType.REFERRED,
    pb.EVENT_TYPE_ENDED: EventType.ENDED,
    pb.EVENT_TYPE_INSTRUCTIONS_DB_ERROR: EventType.INSTRUCTIONS_DB_ERROR,
    pb.EVENT_TYPE_FALLBACK_INSTRUCTIONS_USED: EventType.FALLBACK_INSTRUCTIONS_USED,
}
REASONS: Mapping[int, RejectionReason] = {
    pb.REJECTION_REASON_CAPACITY: RejectionReason.CAPACITY,
    pb.REJECTION_REASON_TENANT_NOT_CONFIGURED: RejectionReason.TENANT_NOT_CONFIGURED,
    pb.REJECTION_REASON_INSTRUCTIONS_MISSING: RejectionReason.INSTRUCTIONS_MISSING,
}
OUTCOMES: Mapping[int, CallOutcome] = {
    pb.CALL_OUTCOME_COMPLETED: CallOutcome.COMPLETED,
    pb.CALL_OUTCOME_HUNG_UP: CallOutcome.HUNG_UP,
    pb.CALL_OUTCOME_FAILED: CallOutcome.FAILED,
    pb.CALL_OUTCOME_NO_ANSWER: CallOutcome.NO_ANSWER,
    pb.CALL_OUTCOME_BUSY: CallOutcome.BUSY,
    pb.CALL_OUTCOME_CANCELED: CallOutcome.CANCELED,
    pb.CALL_OUTCOME_VOICEMAIL: CallOutcome.VOICEMAIL,
}
_TYPE_NUMBERS = {each: number for number, each in TYPES.items()}
_REASON_NUMBERS = {each: number for number, each in REASONS.items()}
_OUTCOME_NUMBERS = {each: number for number, each in OUTCOMES.items()}


def read_export(
    request: pb.ExportEventsRequest, token: ResumeToken, tenant_id: str | None
) -> EventsQuery:
    """Return which events to export; raises InvalidArgument naming what cannot be read."""
    whole = EventsQuery()
    after, through = token.position or (whole.after, whole.through)
    return EventsQuery(
        tenant_id=tenant_id,
        start_us=instant_us(request.start_time, "start_time")
        if request.HasField("start_time")
        else whole.start_us,
        end_us=instant_us(request.end_time, "end_time")
        if request.HasField("end_time")
        else whole.end_us,
        after=after,
        through=through,
    )


def write_events(page: EventsPage, token: ResumeToken) -> pb.ExportEventsResponse:
    """Return a page as a message."""
    return pb.ExportEventsResponse(
        events=map(write_event, page.events),
        resume_token=token.behind(page.after, page.through),
        progress=page.share,
    )


def write_event(event: Event) -> pb.CallEvent:
    """Return an event as it was reported."""
    return pb.CallEvent(
        event_id=event.event_id,
        type=_TYPE_NUMBERS[event.type],  # type: ignore[arg-type]
        call_id=event.call_id or "",
        tenant_id=event.tenant_id,
        occur_time=timestamp(event.occurred_us),
        reason=None if event.reason is None else _REASON_NUMBERS[event.reason],  # type: ignore[arg-type]
        outcome=None if event.outcome is None else _OUTCOME_NUMBERS[event.outcome],  # type: ignore[arg-type]
        minutes=event.minutes,
        sequence=event.sequence,
    )
