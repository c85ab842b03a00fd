"""What is wrong after kills is found and named."""

from __future__ import annotations

from typing import Any

import pytest
from tests.end_to_end.otlp_recorders import CumulativeRecorder
from tests.end_to_end.recorders import Recorder, size_of
from tests.end_to_end.verdict import Verdict, judge

UNKNOWN_CALLER: Any = None
KEPT, DELETED, UNANSWERED = "client-1", "client-2", "client-3"


class OneOfEach(Recorder):
    """Sent three batches: one was acknowledged, one deleted, one was not answered."""

    def __init__(self) -> None:
        super().__init__("client", UNKNOWN_CALLER)
        self.sent = [KEPT, DELETED, UNANSWERED]
        self.acknowledged = [KEPT, DELETED]

    @property
    def kept(self) -> set[str]:
        return {KEPT}

    @property
    def gone(self) -> set[str]:
        return {DELETED}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict()),
        ({UNANSWERED: size_of(UNANSWERED)}, Verdict()),
        ({UNANSWERED: size_of(UNANSWERED) - 1}, Verdict(partial=[UNANSWERED])),
        ({UNANSWERED: 2 * size_of(UNANSWERED)}, Verdict(doubled=[UNANSWERED])),
        ({KEPT: 0}, Verdict(lost=[KEPT])),
        ({KEPT: size_of(KEPT) - 1}, Verdict(partial=[KEPT])),
        ({KEPT: size_of(KEPT) + 1}, Verdict(doubled=[KEPT])),
        ({DELETED: size_of(DELETED)}, Verdict(not_gone=[DELETED])),
        ({"stranger-1": 1}, Verdict(unknown=["stranger-1"])),
    ],
)
def test_each_fault_is_found(change: dict[str, int], verdict: Verdict) -> None:
    found = {KEPT: size_of(KEPT), **change}
    assert judge(found, [OneOfEach()]) == verdict


@pytest.mark.parametrize(
    ("too_much", "verdict"),
    [
        (0, Verdict()),
        (1, Verdict(doubled=["sums-2"])),
        (-1, Verdict(partial=["sums-2"])),
        (-size_of("sums-2"), Verdict()),
        (-size_of("sums-2") - 1, Verdict(partial=["sums-1"])),
        (-size_of("sums-2") - size_of("sums-1"), Verdict(lost=["sums-1"])),
    ],
)
def test_a_sum_that_grows_says_which_of_its_batches_are_there(
    too_much: int, verdict: Verdict
) -> None:
    client = CumulativeRecorder("sums", UNKNOWN_CALLER)
    batches = [client.next_batch() for _ in range(3)]
    client.acknowledged = batches[:2]
    found = client.divided(sum(map(size_of, batches)) + too_much)
    assert judge(found, [client]) == verdict


def test_what_is_wrong_at_two_times_is_named_once() -> None:
    both = Verdict(lost=["a", "b"]).or_else(Verdict(lost=["b"], doubled=["c"]))
    assert both == Verdict(lost=["a", "b"], doubled=["c"])
