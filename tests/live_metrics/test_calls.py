"""The rules of one call, each in every order of its events."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from tests.live_metrics.making import event
from tests.live_metrics.stores import NINE, SECOND

from vumeter_server.live_metrics.call_state import CallStage, CallState, new_call
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.model import (
    CallOutcome,
    Event,
    EventType,
    RejectionReason,
)

T = EventType
EPOCH = 1


def fold(*events: Event) -> CallState:
    """Fold events in every order, make sure that all give the same, and return it."""
    results = []
    for order in permutations(events):
        call = new_call(order[0], EPOCH, 0)
        for each in order:
            call.receive(each, EPOCH, 0)
        results.append(call)
    assert all(result == results[0] for result in results)
    return results[0]


def counted(call: CallState, epoch: int = EPOCH, counted_from_us: int = 0) -> dict[str, int]:
    totals = dict(zip(COLUMNS, call.totals(epoch, counted_from_us), strict=True))
    return {name: amount for name, amount in totals.items() if amount}


def test_started_implies_accepted() -> None:
    call = fold(event(T.STARTED, at=3))
    assert call.stage is CallStage.ACTIVE
    assert counted(call) == {"accepted_calls": 1, "started_calls": 1}


def test_accepted_and_started_are_one_accepted_call() -> None:
    call = fold(event(T.ACCEPTED, at=2), event(T.STARTED, at=3), event(T.PENDING, at=1))
    assert counted(call) == {"accepted_calls": 1, "started_calls": 1}


def test_a_rejection_that_something_contradicts_does_not_count() -> None:
    for contradiction in (T.ACCEPTED, T.STARTED, T.ENDED):
        call = fold(event(T.REJECTED, at=5), event(contradiction, at=1))
        assert "rejected_calls_capacity" not in counted(call)


def test_a_rejected_call_is_not_pending_any_more() -> None:
    call = fold(event(T.PENDING), event(T.REJECTED, at=1, reason=RejectionReason.CAPACITY))
    assert call.stage is CallStage.UNLISTED
    assert counted(call) == {"rejected_calls_capacity": 1}


def test_an_ended_call_never_comes_back() -> None:
    call = fold(event(T.ENDED, at=9), event(T.STARTED, at=60), event(T.PENDING, at=70))
    assert call.stage is CallStage.UNLISTED


def test_a_call_known_only_by_audio_or_a_transfer_is_in_no_list() -> None:
    call = fold(event(T.AUDIO, minutes=1.5), event(T.REFERRED), event(T.REFERRED, at=5))
    assert call.stage is CallStage.UNLISTED
    assert counted(call) == {"referred_calls": 1, "minutes_ms": 90_000}


@pytest.mark.parametrize("at", [0, 4])
def test_of_conflicting_reasons_the_smallest_time_and_then_the_smallest_id_wins(at: int) -> None:
    call = fold(
        event(T.REJECTED, at=at, event_id="b", reason=RejectionReason.CAPACITY),
        event(T.REJECTED, at=4, event_id="a", reason=RejectionReason.INSTRUCTIONS_MISSING),
        event(T.REJECTED, at=9, event_id="0", reason=RejectionReason.TENANT_NOT_CONFIGURED),
    )
    wins = RejectionReason.CAPACITY if at == 0 else RejectionReason.INSTRUCTIONS_MISSING
    assert call.reason is wins


@pytest.mark.parametrize("at", [0, 4])
def test_of_conflicting_outcomes_the_smallest_time_and_then_the_smallest_id_wins(at: int) -> None:
    call = fold(
        event(T.ENDED, at=at, event_id="b", outcome=CallOutcome.COMPLETED),
        event(T.ENDED, at=4, event_id="a", outcome=CallOutcome.FAILED),
    )
    assert counted(call).get("failed_calls", 0) == (0 if at == 0 else 1)
    assert call.ended_us == NINE + at * SECOND


@pytest.mark.parametrize("at", [0, 4])
def test_of_conflicting_tenants_the_smallest_time_and_then_the_smallest_id_wins(at: int) -> None:
    call = fold(
        event(T.PENDING, at=at, event_id="b", tenant_id="clinic"),
        event(T.ACCEPTED, at=4, event_id="a", tenant_id="garage"),
    )
    assert call.tenant_id == ("clinic" if at == 0 else "garage")


ORDERS = [
    # Sequence and id of the event that wins, and of the one that does not.
    ((3, "b"), (4, "a")),
    ((3, "a"), (3, "b")),
    ((0, "b"), (None, "a")),
    ((2**63 - 1, "b"), (None, "a")),
    ((None, "a"), (None, "b")),
    # By number, not by its digits.
    ((9, "b"), (10, "a")),
]


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_of_events_of_one_time_the_smallest_sequence_wins_and_then_the_smallest_id(
    first: tuple[int | None, str], second: tuple[int | None, str]
) -> None:
    """Whether ends, reasons or tenants disagree."""

    def said(kind: EventType, **what: Any) -> list[Event]:
        return [
            event(kind, at=4, sequence=place[0], event_id=place[1], **each)
            for place, each in ((first, what["wins"]), (second, what["loses"]))
        ]

    outcomes = {"wins": {"outcome": CallOutcome.BUSY}, "loses": {"outcome": CallOutcome.FAILED}}
    assert counted(fold(*said(T.ENDED, **outcomes))) == {"ended_calls": 1, "busy_calls": 1}
    reasons = {
        "wins": {"reason": RejectionReason.INSTRUCTIONS_MISSING},
        "loses": {"reason": RejectionReason.CAPACITY},
    }
    assert counted(fold(*said(T.REJECTED, **reasons))) == {"rejected_calls_instructions_missing": 1}
    tenants = {"wins": {"tenant_id": "garage"}, "loses": {"tenant_id": "clinic"}}
    assert fold(*said(T.PENDING, **tenants)).tenant_id == "garage"


def test_a_later_event_does_not_win_by_its_sequence() -> None:
    call = fold(
        event(T.ENDED, at=5, sequence=1, outcome=CallOutcome.FAILED),
        event(T.ENDED, at=4, outcome=CallOutcome.VOICEMAIL),
    )
    assert counted(call) == {"ended_calls": 1, "voicemail_calls": 1}


@pytest.mark.parametrize("outcome", CallOutcome)
def test_only_a_failed_call_and_one_that_timed_out_count_as_failed(outcome: CallOutcome) -> None:
    call = fold(event(T.ENDED, outcome=outcome))
    own = {} if outcome is CallOutcome.COMPLETED else {f"{outcome.name.lower()}_calls": 1}
    failed = outcome in {CallOutcome.FAILED, CallOutcome.TIMED_OUT}
    assert counted(call) == {"ended_calls": 1} | ({"failed_calls": 1} if failed else {}) | own


def test_a_call_that_an_earlier_version_closed_has_failed() -> None:
    call = fold(event(T.STARTED))
    call.close(NINE + 5 * 3600 * SECOND, EPOCH)
    call.outcome = None
    assert counted(call) == {
        "accepted_calls": 1,
        "started_calls": 1,
        "ended_calls": 1,
        "failed_calls": 1,
    }


def test_minutes_are_the_largest_reported_and_a_smaller_report_is_no_error() -> None:
    call = fold(
        event(T.AUDIO, at=60, minutes=4.5),
        event(T.AUDIO, at=90, minutes=3),
        event(T.ENDED, at=600, minutes=4.25),
        event(T.STARTED),
    )
    assert call.minutes_ms == 270_000


def test_without_reported_minutes_they_run_from_start_to_end() -> None:
    assert fold(event(T.STARTED, at=30), event(T.ENDED, at=120)).minutes_ms == 90_000
    assert fold(event(T.STARTED, at=120), event(T.ENDED, at=30)).minutes_ms == 0
    assert fold(event(T.ACCEPTED, at=30), event(T.ENDED, at=120)).minutes_ms == 0


def test_a_report_of_no_minutes_is_a_report() -> None:
    call = fold(event(T.STARTED), event(T.ENDED, at=120, minutes=0))
    assert call.minutes_ms == 0


def test_minutes_are_kept_in_whole_milliseconds() -> None:
    assert fold(event(T.AUDIO, minutes=0.1)).minutes_ms == 6_000
    assert fold(event(T.AUDIO, minutes=1 / 3)).minutes_ms == 20_000
    assert fold(event(T.AUDIO, minutes=0.000_01)).minutes_ms == 1


def test_an_earlier_launch_keeps_what_it_counted() -> None:
    call = fold(event(T.STARTED), event(T.AUDIO, at=60, minutes=1))
    call.receive(event(T.ENDED, at=180, minutes=3), EPOCH + 1, 0)
    assert counted(call, EPOCH) == {}
    assert counted(call, EPOCH + 1) == {"ended_calls": 1, "minutes_ms": 120_000}


def test_a_rejection_taken_back_in_a_later_launch_takes_nothing_off_that_one() -> None:
    call = fold(event(T.REJECTED))
    call.receive(event(T.ACCEPTED), EPOCH + 1, 0)
    assert counted(call, EPOCH + 1) == {"accepted_calls": 1}


def test_failed_stays_with_the_launch_of_the_first_end() -> None:
    call = fold(event(T.ENDED, at=60, outcome=CallOutcome.COMPLETED))
    call.receive(event(T.ENDED, at=30, outcome=CallOutcome.FAILED), EPOCH + 1, 0)
    assert call.outcome is CallOutcome.FAILED
    assert counted(call, EPOCH + 1) == {}


def test_fewer_minutes_in_a_later_launch_take_nothing_off_it() -> None:
    call = fold(event(T.STARTED), event(T.ENDED, at=600))
    call.receive(event(T.AUDIO, at=500, minutes=3), EPOCH + 1, 0)
    assert call.minutes_ms == 180_000
    assert counted(call, EPOCH + 1) == {}


def test_a_closed_call_has_timed_out_until_a_real_end_says_otherwise() -> None:
    call = fold(event(T.STARTED), event(T.AUDIO, at=60, minutes=1))
    call.close(NINE + 5 * 3600 * SECOND, EPOCH)
    assert counted(call) == {
        "accepted_calls": 1,
        "started_calls": 1,
        "ended_calls": 1,
        "failed_calls": 1,
        "timed_out_calls": 1,
        "minutes_ms": 60_000,
    }
    call.receive(event(T.ENDED, at=300, outcome=CallOutcome.HUNG_UP, minutes=5), EPOCH, 0)
    assert counted(call) == {
        "accepted_calls": 1,
        "started_calls": 1,
        "ended_calls": 1,
        "hung_up_calls": 1,
        "minutes_ms": 300_000,
    }
    assert call.effective_end_us == NINE + 300 * SECOND


def test_a_closed_call_without_reports_has_no_minutes() -> None:
    call = fold(event(T.STARTED))
    call.close(NINE + 5 * 3600 * SECOND, EPOCH)
    assert call.minutes_ms == 0


def test_each_kind_counts_only_if_it_occurred_late_enough() -> None:
    call = fold(
        event(T.ACCEPTED, at=2),
        event(T.STARTED, at=3),
        event(T.REFERRED, at=5),
        event(T.ENDED, at=9, outcome=CallOutcome.BUSY, minutes=4),
    )
    for second, expected in (
        (2, {"accepted_calls", "started_calls", "referred_calls"}),
        (3, {"started_calls", "referred_calls"}),
        (5, {"referred_calls"}),
        (9, set()),
    ):
        ends = {"ended_calls", "busy_calls", "minutes_ms"}
        found = counted(call, counted_from_us=NINE + second * SECOND)
        assert found.keys() == expected | ends
    assert counted(call, counted_from_us=NINE + 9 * SECOND + 1) == {}


def test_the_first_of_a_kind_decides_whether_it_counts_and_the_report_that_says_most() -> None:
    call = fold(
        event(T.STARTED, at=1),
        event(T.STARTED, at=60),
        event(T.AUDIO, at=2, minutes=8),
        event(T.AUDIO, at=60, minutes=3),
    )
    assert counted(call, counted_from_us=NINE + 30 * SECOND) == {}
    assert counted(call, counted_from_us=NINE + 2 * SECOND) == {"minutes_ms": 480_000}


def test_a_rejection_and_minutes_from_start_to_end_count_only_if_they_are_late_enough() -> None:
    rejected = fold(event(T.REJECTED, at=5), event(T.REJECTED, at=7))
    assert counted(rejected, counted_from_us=NINE + 5 * SECOND) == {"rejected_calls_capacity": 1}
    assert counted(rejected, counted_from_us=NINE + 6 * SECOND) == {}
    call = fold(event(T.STARTED, at=1), event(T.ENDED, at=9))
    assert counted(call, counted_from_us=NINE + 5 * SECOND) == {
        "ended_calls": 1,
        "minutes_ms": 8_000,
    }
