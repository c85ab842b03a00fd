"""The fold without any storage: which events are new, and what they change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.live_metrics.making import event
from tests.live_metrics.stores import NINE, SECOND

from vumeter_server.errors import Conflict
from vumeter_server.live_metrics.call_state import CallStage
from vumeter_server.live_metrics.counters import Counter, counters
from vumeter_server.live_metrics.fold import (
    Listing,
    change_history,
    event_mark,
    fold_closings,
    fold_events,
    needs_stored_reports,
    new_events,
)
from vumeter_server.live_metrics.marks import Mark, MinutesReport
from vumeter_server.live_metrics.model import EventType

T = EventType


def test_events_are_new_once_and_other_content_under_an_id_is_a_conflict() -> None:
    stored, fresh = event(T.STARTED, event_id="stored"), event(T.STARTED, event_id="fresh")
    assert new_events([fresh, stored, fresh], {"stored": stored}) == [0]
    with pytest.raises(Conflict, match=r"events\[1\]\.event_id"):
        new_events([fresh, replace(stored, tenant_id="garage")], {"stored": stored})


def test_a_batch_becomes_listings_and_differences_of_totals_and_leaves_known_calls() -> None:
    first = fold_events([event(T.STARTED)], {}, epoch=1, received_us=5)
    known = {"call_1": first.calls["call_1"].after}
    folded = fold_events(
        [event(T.ENDED, at=60), event(T.FALLBACK_INSTRUCTIONS_USED)],
        known,
        epoch=1,
        received_us=6,
    )
    assert first.change.listings == {"call_1": Listing("clinic", CallStage.ACTIVE)}
    assert folded.change.listings == {"call_1": None}
    expected = [
        (Counter.ENDED, 1),
        (Counter.MINUTES, 60_000),
        (Counter.FALLBACK_INSTRUCTIONS_USED, 1),
    ]
    assert folded.change.totals == {"clinic": counters(expected)}
    assert folded.last_occurred_us == {"clinic": NINE + 60 * SECOND}
    assert list(map(event_mark, folded.without_call)) == [
        Mark(NINE, Counter.FALLBACK_INSTRUCTIONS_USED, 1)
    ]
    assert known["call_1"].stage is CallStage.ACTIVE


def test_a_late_report_needs_the_stored_ones_and_changes_what_later_ones_added() -> None:
    first = fold_events([event(T.AUDIO, at=60, minutes=2)], {}, epoch=1, received_us=0)
    assert not needs_stored_reports(first.calls["call_1"])
    stored = sorted(change_history(first.calls["call_1"]).added_reports)
    assert stored == [MinutesReport(NINE + 60 * SECOND, 120_000)]
    known = {"call_1": first.calls["call_1"].after}
    late = fold_events([event(T.AUDIO, at=30, minutes=0.5)], known, epoch=1, received_us=0)
    change = late.calls["call_1"]
    assert needs_stored_reports(change)
    history = change_history(change, stored)
    assert history.removed == {Mark(NINE + 60 * SECOND, Counter.MINUTES, 120_000)}
    assert history.added == {
        Mark(NINE + 30 * SECOND, Counter.MINUTES, 30_000),
        Mark(NINE + 60 * SECOND, Counter.MINUTES, 90_000),
    }


def test_closing_ends_an_accepted_call_and_only_unlists_a_pending_one() -> None:
    events = [event(T.ACCEPTED), event(T.PENDING, "call_2")]
    known = fold_events(events, {}, epoch=1, received_us=0).calls
    folded = fold_closings([each.after for each in known.values()], epoch=1, now_us=NINE)
    assert folded.closed == ["call_1"]
    assert folded.change.listings == {"call_1": None, "call_2": None}
    expected = [(Counter.ENDED, 1), (Counter.FAILED, 1), (Counter.TIMED_OUT, 1)]
    assert folded.change.totals == {"clinic": counters(expected)}
