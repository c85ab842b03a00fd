"""Events as hypothesis chooses them, and everything that can be asked of them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tests.live_metrics.stores import HOUR, MINUTE, NINE, SECOND, history, live, totals

from vumeter_server.live_metrics.live_view import LiveView
from vumeter_server.live_metrics.model import (
    CALL_EVENTS,
    CallOutcome,
    Event,
    EventType,
    RejectionReason,
)
from vumeter_server.live_metrics.store import LiveStore

TENANTS = ("clinic_münchen", "garage/5")
# Few instants, on and beside the edges of minutes and hours, so that events often meet.
INSTANTS = st.one_of(
    st.sampled_from([0, MINUTE]),
    st.sampled_from([0, MINUTE]),
    st.sampled_from([0, 1, MINUTE - 1, MINUTE, 5 * MINUTE, HOUR - 1, HOUR, HOUR + MINUTE]),
    st.integers(0, 12).map(lambda number: number * 20 * SECOND),
    st.integers(0, 2 * HOUR),
).map(lambda offset: NINE + offset)
# Mostly everything counts; else a part does not.
COUNTED_FROM = st.sampled_from([0, 0, NINE + 1, NINE + MINUTE, NINE + HOUR, NINE + 3 * HOUR])
REPORTED = st.sampled_from([0.0, 0.5, 1.25, 4.5, 4.500001, 12.0, 90.0])
# Often equal, so that ids decide; and often absent.
SEQUENCES = st.sampled_from([None, None, 0, 1, 2, 10, 2**63 - 1])
OUTCOMES = st.sampled_from(sorted(set(CallOutcome) - {CallOutcome.TIMED_OUT}))


@st.composite
def events(draw: st.DrawFn, number: int) -> Event:
    """One valid event whose id is `number`, in no order of its own."""
    kind = draw(st.sampled_from(sorted(set(EventType) - {EventType.CLOSED})))
    minutes = None
    if kind is EventType.AUDIO or (kind is EventType.ENDED and draw(st.booleans())):
        minutes = draw(REPORTED)
    return Event(
        event_id=f"e{draw(st.integers(0, 9))}-{number}",
        type=kind,
        tenant_id=draw(st.sampled_from(TENANTS)),
        occurred_us=draw(INSTANTS),
        call_id=f"call_{draw(st.integers(1, 3))}" if kind in CALL_EVENTS else None,
        reason=draw(st.sampled_from(RejectionReason)) if kind is EventType.REJECTED else None,
        outcome=draw(OUTCOMES) if kind is EventType.ENDED else None,
        minutes=minutes,
        sequence=draw(SEQUENCES),
    )


@st.composite
def received(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of events, some of them received again in later batches."""
    number = draw(st.integers(1, 24))
    distinct = [draw(events(index)) for index in range(number)]
    repeats = draw(st.lists(st.sampled_from(distinct), max_size=6))
    stream = draw(st.permutations([*distinct, *repeats]))
    batches = []
    while stream:
        size = draw(st.integers(1, 8))
        batches.append(list(stream[:size]))
        stream = stream[size:]
    return batches


RANGES = st.tuples(
    st.sampled_from([NINE - HOUR, NINE, NINE + 1, NINE + 90 * SECOND, NINE + 17 * MINUTE]),
    st.sampled_from([0, 1, 30 * SECOND, 7 * MINUTE + 1, HOUR, 3 * HOUR]),
    st.sampled_from(
        [7 * SECOND, MINUTE, 90 * SECOND, 150 * SECOND, 5 * MINUTE, 61 * MINUTE, HOUR, 2 * HOUR]
    ),
)


async def answers(
    store: LiveStore, view: LiveView, ranges: Sequence[tuple[int, int, int]]
) -> dict[str, object]:
    """Everything that can be asked."""
    tenants = (None, *TENANTS, "unknown")
    found: dict[str, object] = {
        "lists": view.capacity().active,
        "accepted": view.capacity().accepted,
        "pending": view.capacity().pending,
        "values": [(totals(view, each), view.values(each).active_calls) for each in tenants],
        "limits": [view.limit(each) for each in TENANTS],
        "tenants": await store.tenants("", 10),
        "following": live(await LiveView.of(store)),
    }
    for start, length, step in ranges:
        # Fine steps over long ranges only cost time.
        end = start + min(length, 60 * step)
        for each in tenants:
            found[f"history of {each} from {start} by {step}"] = await history(
                store, each, start, end, step
            )
    return found


def check(max_examples: int) -> settings:
    return settings(
        max_examples=max_examples,
        deadline=None,
        # The fixtures only name a store: each example opens storage of its own.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
