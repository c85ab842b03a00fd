"""What is wrong after kills is found and named."""

from __future__ import annotations

from typing import Any

import pytest
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
