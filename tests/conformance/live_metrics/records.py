"""All events that were received, and every answer computed from them by brute force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.conformance.live_metrics.call_facts import METRICS, REJECTED, CallFacts, T

from vumeter_server.errors import Conflict, Unavailable, Violation
from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.fold import Listing
from vumeter_server.live_metrics.history import Bucket, Buckets
from vumeter_server.live_metrics.model import Event
from vumeter_server.live_metrics.store import Tenant, TenantContents


class CallKey(NamedTuple):
    """A call. After it was dropped, events of the same id are of a new call."""

    call_id: str
    generation: int


@dataclass(kw_only=True)
class Received:
    """An event as it was received."""

    event: Event
    received_us: int
    epoch: int
    call: CallKey | None
    dropped: bool = False


@dataclass(kw_only=True)
class Records:
    """All that was received; it outlives the stores that are opened on it, as a file does."""

    epoch_id: str = ""
    epoch: int = 0
    counted_from_us: int = 0
    """What occurred before is in no total of the epoch."""
    received: list[Received] = field(default_factory=list)
    closings: dict[CallKey, tuple[int, int]] = field(default_factory=dict)
    """When calls were closed because no events came, and in which epoch."""
    lapsed: set[CallKey] = field(default_factory=set)
    """Pending calls of which no event was received for too long."""
    dropped: set[CallKey] = field(default_factory=set)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    is_unavailable: bool = False

    def check_available(self) -> None:
        if self.is_unavailable:
            raise Unavailable

    def start(self, epoch_id: str, counted_from_us: int) -> None:
        if epoch_id != self.epoch_id:
            self.epoch_id, self.counted_from_us = epoch_id, counted_from_us
            self.epoch += 1

    def receive(self, events: Sequence[Event], received_us: int = 0) -> None:
        known = {each.event.event_id: each.event for each in self.received if not each.dropped}
        new = []
        for index, event in enumerate(events):
            if event.event_id not in known:
                known[event.event_id] = event
                new.append(event)
            elif known[event.event_id] != event:
                problem = "was used before with other content"
                violation = Violation(field=f"events[{index}].event_id", problem=problem)
                raise Conflict(violations=[violation])
        for event in new:
            call = None
            if event.call_id is not None:
                gone = sum(key.call_id == event.call_id for key in self.dropped)
                call = CallKey(event.call_id, gone)
                self.lapsed.discard(call)
            self.received.append(
                Received(event=event, received_us=received_us, epoch=self.epoch, call=call)
            )
            self._note_tenant(event, received_us)

    def _note_tenant(self, event: Event, received_us: int) -> None:
        known = self.tenants.get(event.tenant_id)
        before_us = None if known is None else known.last_occurred_us
        self.tenants[event.tenant_id] = Tenant(
            tenant_id=event.tenant_id,
            last_occurred_us=max(event.occurred_us, before_us or 0),
            last_received_us=received_us,
            max_concurrent_calls=None if known is None else known.max_concurrent_calls,
        )

    def close(self, quiet_since_us: int, now_us: int) -> int:
        number = 0
        for key, (_, stage) in self.lists().items():
            if self._last_received(key) <= quiet_since_us:
                number += 1
                if stage is CallStage.PENDING:
                    self.lapsed.add(key)
                else:
                    self.closings[key] = (now_us, self.epoch)
        return number

    def drop(self, before_us: int) -> None:
        for each in self.received:
            each.dropped |= each.received_us < before_us
        for key in self.calls(self.epoch).keys() - self.lists().keys():
            if self._last_received(key) < before_us:
                self.dropped.add(key)

    def contents(self, tenant_id: str) -> TenantContents | None:
        """How many events and calls of a tenant are kept."""
        if tenant_id not in self.tenants:
            return None
        calls = self._calls_of(tenant_id)
        return TenantContents(
            events=sum(
                not each.dropped and (each.event.tenant_id == tenant_id or each.call in calls)
                for each in self.received
            ),
            calls=len(calls - self.dropped),
        )

    def delete(self, tenant_id: str) -> None:
        """Forget a tenant, its calls, and what it sent."""
        calls = self._calls_of(tenant_id)
        self.tenants.pop(tenant_id, None)
        self.received = [
            each
            for each in self.received
            if each.call not in calls and (each.call or each.event.tenant_id != tenant_id)
        ]
        for each in self.received:
            # The call of another tenant stays as it is.
            each.dropped |= each.event.tenant_id == tenant_id
        self.lapsed -= calls
        for key in calls:
            self.closings.pop(key, None)

    def _calls_of(self, tenant_id: str) -> set[CallKey]:
        calls = self.calls(self.epoch)
        return {key for key, call in calls.items() if call.tenant_id == tenant_id}

    def _last_received(self, key: CallKey) -> int:
        return max(each.received_us for each in self.received if each.call == key)

    def calls(self, last_epoch: int) -> dict[CallKey, CallFacts]:
        """What was known of each call at the end of an epoch, of dropped ones too."""
        by_call = defaultdict(list)
        for each in self.received:
            if each.call is not None and each.epoch <= last_epoch:
                by_call[each.call].append(each.event)
        calls = {}
        for key, events in by_call.items():
            closed_us, epoch = self.closings.get(key, (None, 0))
            calls[key] = CallFacts(events=events, closed_us=closed_us)
            if epoch > last_epoch:
                calls[key].closed_us = None
        return calls

    def tenants_of_calls(self, events: Sequence[Event]) -> set[str]:
        """The tenants of those calls of `events` that are known already."""
        named = {event.call_id for event in events}
        return {
            call.tenant_id
            for key, call in self.calls(self.epoch).items()
            if key.call_id in named and key not in self.dropped
        }

    def lists(self) -> dict[CallKey, Listing]:
        stages = {
            "pending": CallStage.PENDING,
            "accepted": CallStage.ACCEPTED,
            "active": CallStage.ACTIVE,
        }
        return {
            key: Listing(call.tenant_id, stages[call.list_name])
            for key, call in self.calls(self.epoch).items()
            if call.list_name is not None
            and not (call.list_name == "pending" and key in self.lapsed)
        }

    def totals(self) -> dict[str, dict[str, int]]:
        """The totals of this epoch by tenant, of tenants with any."""
        sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(METRICS, 0))
        before, now = self.calls(self.epoch - 1), self.calls(self.epoch)
        nothing = CallFacts(events=[])

        def counts(at: int | None) -> bool:
            return at is not None and at >= self.counted_from_us

        for key, call in now.items():
            counted, earlier = sums[call.tenant_id], before.get(key, nothing)
            if counts(call.accepted) and earlier.accepted is None:
                counted["accepted_calls"] += 1
            if counts(call.started) and earlier.started is None:
                counted["started_calls"] += 1
            if counts(call.ended) and earlier.ended is None:
                for metric in call.counted_ends:
                    counted[metric] += 1
            if counts(call.referred) and earlier.referred is None:
                counted["referred_calls"] += 1
            rejection = call.rejection
            if rejection is not None and not earlier.of(T.REJECTED):
                assert rejection.reason is not None
                counted[REJECTED[rejection.reason]] += counts(rejection.occurred_us)
            if call.raises and counts(call.raises[-1][0]):
                counted["minutes_ms"] += max(0, call.minutes_ms - earlier.minutes_ms)
        for each in self.received:
            if each.epoch == self.epoch and counts(each.event.occurred_us):
                counted = sums[each.event.tenant_id]
                counted["instructions_db_errors"] += each.event.type is T.INSTRUCTIONS_DB_ERROR
                counted["fallback_instructions_used"] += (
                    each.event.type is T.FALLBACK_INSTRUCTIONS_USED
                )
        return {tenant: counted for tenant, counted in sums.items() if any(counted.values())}

    def history(self, tenant_id: str | None, buckets: Buckets) -> list[Bucket]:
        """Every bucket, peaks tried at every instant at which anything changes."""
        calls = [
            call
            for key, call in self.calls(self.epoch).items()
            if key not in self.dropped and tenant_id in (None, call.tenant_id)
        ]
        happened = self._happened(tenant_id, calls)
        intervals = [(call.started, call.ended) for call in calls if call.started is not None]

        def active(at: int) -> int:
            return sum(s <= at and (e is None or at < e) for s, e in intervals)

        found = []
        for start in range(buckets.start_us, buckets.end_us, buckets.step_us):
            end = min(start + buckets.step_us, buckets.end_us)
            sums = dict.fromkeys(METRICS, 0)
            for at, metric, amount in happened:
                if start <= at < end:
                    sums[metric] += amount
            instants = {start, end - 1} | {s for s, _ in intervals if start <= s < end}
            found.append(
                Bucket(
                    start_us=start,
                    counted=tuple(sums.values()),
                    active_calls=active(end - 1),
                    peak_active_calls=max(map(active, instants)),
                )
            )
        return found

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
                found += [(call.ended, metric, 1) for metric in call.counted_ends]
            if call.of(T.REFERRED):
                found.append((call.of(T.REFERRED)[0].occurred_us, "referred_calls", 1))
            if call.rejection is not None:
                assert call.rejection.reason is not None
                at = call.rejection.occurred_us
                found.append((at, REJECTED[call.rejection.reason], 1))
            found += [(at, "minutes_ms", amount) for at, amount in call.raises]
        for each in self.received:
            event = each.event
            if each.dropped or tenant_id not in (None, event.tenant_id):
                continue
            if event.type is T.INSTRUCTIONS_DB_ERROR:
                found.append((event.occurred_us, "instructions_db_errors", 1))
            elif event.type is T.FALLBACK_INSTRUCTIONS_USED:
                found.append((event.occurred_us, "fallback_instructions_used", 1))
        return found
