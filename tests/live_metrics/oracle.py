"""Live metrics by brute force: every answer worked out from all events ever received.

Nothing here is shared with the server but the records it is given, and nothing is clever: each
figure is computed from its definition, so that it can be read against the contract.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from vumeter_server.live_metrics.model import CallOutcome, Event, EventType, RejectionReason

T = EventType
FIGURES = (
    "accepted_calls",
    "rejected_calls_capacity",
    "rejected_calls_tenant_not_configured",
    "rejected_calls_instructions_missing",
    "instructions_db_errors",
    "fallback_instructions_used",
    "started_calls",
    "ended_calls",
    "failed_calls",
    "referred_calls",
    "minutes_ms",
)
REJECTED = {
    RejectionReason.CAPACITY: "rejected_calls_capacity",
    RejectionReason.TENANT_NOT_CONFIGURED: "rejected_calls_tenant_not_configured",
    RejectionReason.INSTRUCTIONS_MISSING: "rejected_calls_instructions_missing",
}


@dataclass(kw_only=True)
class CallFacts:
    """What a set of events says of one call."""

    events: list[Event]
    closed_us: int | None = None

    def of(self, *types: EventType) -> list[Event]:
        found = [event for event in self.events if event.type in types]
        return sorted(found, key=lambda event: (event.occurred_us, event.event_id))

    @property
    def tenant_id(self) -> str:
        return min(self.events, key=lambda event: (event.occurred_us, event.event_id)).tenant_id

    @property
    def started(self) -> int | None:
        return self.of(T.STARTED)[0].occurred_us if self.of(T.STARTED) else None

    @property
    def accepted(self) -> int | None:
        found = self.of(T.ACCEPTED, T.STARTED)
        return found[0].occurred_us if found else None

    @property
    def ended(self) -> int | None:
        return self.of(T.ENDED)[0].occurred_us if self.of(T.ENDED) else self.closed_us

    @property
    def failed(self) -> bool:
        if self.of(T.ENDED):
            return self.of(T.ENDED)[0].outcome is CallOutcome.FAILED
        return self.closed_us is not None

    @property
    def rejection(self) -> Event | None:
        if self.accepted is not None or self.ended is not None or not self.of(T.REJECTED):
            return None
        return self.of(T.REJECTED)[0]

    @property
    def raises(self) -> list[tuple[int, int]]:
        """When its minutes grew, and by how many milliseconds."""
        reports = [event for event in self.of(T.AUDIO, T.ENDED) if event.minutes is not None]
        if not reports:
            ends = self.of(T.ENDED)
            if not ends or self.started is None:
                return []
            end = ends[0].occurred_us
            return [(end, max(0, end - self.started) // 1_000)]
        grown, so_far = [], 0
        for event in reports:
            minutes = event.minutes_ms or 0
            if minutes > so_far:
                grown.append((event.occurred_us, minutes - so_far))
                so_far = minutes
        return grown

    @property
    def minutes_ms(self) -> int:
        return sum(amount for _, amount in self.raises)

    @property
    def list_name(self) -> str | None:
        if self.ended is not None:
            return None
        if self.started is not None:
            return "active"
        if self.accepted is not None:
            return "accepted"
        if self.of(T.PENDING) and not self.of(T.REJECTED):
            return "pending"
        return None


@dataclass(kw_only=True)
class Oracle:
    """Receives what the server receives, and answers what it should answer."""

    launches: list[list[Event]] = field(default_factory=lambda: [[]])
    closings: dict[str, tuple[int, int]] = field(default_factory=dict)
    """When calls were closed for want of events, and in which launch."""
    lapsed: set[str] = field(default_factory=set)
    """Pending calls of which nothing was received for too long."""
    _ids: set[str] = field(default_factory=set)

    def receive(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.event_id not in self._ids:
                self._ids.add(event.event_id)
                self.launches[-1].append(event)
                self.lapsed.discard(event.call_id or "")

    def launch(self) -> None:
        self.launches.append([])

    def close_all(self, now_us: int) -> None:
        for call_id, call in self.calls(len(self.launches)).items():
            if call.list_name in {"active", "accepted"}:
                self.closings[call_id] = (now_us, len(self.launches))

    def calls(self, launches: int) -> dict[str, CallFacts]:
        """What is known of each call after the first so many launches."""
        by_call = defaultdict(list)
        for events in self.launches[:launches]:
            for event in events:
                if event.call_id is not None:
                    by_call[event.call_id].append(event)
        return {
            call_id: CallFacts(events=events, closed_us=self._closed(call_id, launches))
            for call_id, events in by_call.items()
        }

    def _closed(self, call_id: str, launches: int) -> int | None:
        closed_us, launch = self.closings.get(call_id, (None, 0))
        return closed_us if launch <= launches else None

    def lists(self) -> dict[str, tuple[str, str]]:
        """Listed calls with their tenant and list."""
        return {
            call_id: (call.tenant_id, call.list_name)
            for call_id, call in self.calls(len(self.launches)).items()
            if call.list_name is not None
            and not (call.list_name == "pending" and call_id in self.lapsed)
        }

    def totals(self, tenant_id: str | None) -> dict[str, int]:
        """The totals of the last launch."""
        number = len(self.launches)
        sums = dict.fromkeys(FIGURES, 0)
        before, now = self.calls(number - 1), self.calls(number)
        nothing = CallFacts(events=[])
        for call_id, call in now.items():
            if tenant_id not in (None, call.tenant_id):
                continue
            earlier = before.get(call_id, nothing)
            if call.accepted is not None and earlier.accepted is None:
                sums["accepted_calls"] += 1
            if call.started is not None and earlier.started is None:
                sums["started_calls"] += 1
            if call.ended is not None and earlier.ended is None:
                sums["ended_calls"] += 1
                sums["failed_calls"] += call.failed
            if call.of(T.REFERRED) and not earlier.of(T.REFERRED):
                sums["referred_calls"] += 1
            if call.rejection is not None and not earlier.of(T.REJECTED):
                assert call.rejection.reason is not None
                sums[REJECTED[call.rejection.reason]] += 1
            sums["minutes_ms"] += max(0, call.minutes_ms - earlier.minutes_ms)
        for event in self.launches[-1]:
            if tenant_id in (None, event.tenant_id):
                sums["instructions_db_errors"] += event.type is T.INSTRUCTIONS_DB_ERROR
                sums["fallback_instructions_used"] += event.type is T.FALLBACK_INSTRUCTIONS_USED
        return sums

    def history(
        self, tenant_id: str | None, start: int, end: int, step: int
    ) -> list[dict[str, int]]:
        """Every bucket of the range, peaks tried at every instant at which anything changes."""
        calls = [
            call
            for call in self.calls(len(self.launches)).values()
            if tenant_id in (None, call.tenant_id)
        ]
        happened = self._happened(tenant_id, calls)
        intervals = [(call.started, call.ended) for call in calls if call.started is not None]

        def active(at: int) -> int:
            return sum(s <= at and (e is None or at < e) for s, e in intervals)

        buckets = []
        for bucket_start in range(start, end, step):
            bucket_end = min(bucket_start + step, end)
            sums = dict.fromkeys(FIGURES, 0)
            for at, figure, amount in happened:
                if bucket_start <= at < bucket_end:
                    sums[figure] += amount
            instants = {bucket_start, bucket_end - 1}
            instants |= {s for s, _ in intervals if bucket_start <= s < bucket_end}
            buckets.append(
                {
                    "start_us": bucket_start,
                    **sums,
                    "active_calls": active(bucket_end - 1),
                    "peak_active_calls": max(map(active, instants)),
                }
            )
        return buckets

    def _happened(
        self, tenant_id: str | None, calls: Sequence[CallFacts]
    ) -> list[tuple[int, str, int]]:
        found: list[tuple[int, str, int]] = []
        for call in calls:
            if call.accepted is not None:
                found.append((call.accepted, "accepted_calls", 1))
            if call.started is not None:
                found.append((call.started, "started_calls", 1))
            if call.ended is not None:
                found.append((call.ended, "ended_calls", 1))
                found.append((call.ended, "failed_calls", int(call.failed)))
            if call.of(T.REFERRED):
                found.append((call.of(T.REFERRED)[0].occurred_us, "referred_calls", 1))
            if call.rejection is not None:
                assert call.rejection.reason is not None
                at = call.rejection.occurred_us
                found.append((at, REJECTED[call.rejection.reason], 1))
            found += [(at, "minutes_ms", amount) for at, amount in call.raises]
        for events in self.launches:
            for event in events:
                if tenant_id not in (None, event.tenant_id):
                    continue
                if event.type is T.INSTRUCTIONS_DB_ERROR:
                    found.append((event.occurred_us, "instructions_db_errors", 1))
                elif event.type is T.FALLBACK_INSTRUCTIONS_USED:
                    found.append((event.occurred_us, "fallback_instructions_used", 1))
        return found
