"""Somebody who records with idempotency keys, and asks again until it is recorded."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import Any

from tests.end_to_end.killing import asking
from tests.stack import Stack

from vumeter_server.access.keys import NewKey

PATH = "/v1/custom-metrics"
EVERY_SECONDS = 0.2
POINT: dict[str, Any] = {"points": [{"name": "turns"}]}
RECORDED = (200, 0)


class Recording(threading.Thread):
    """Point after point, each under a label and a key of its own, over connections of its own.

    It ends with the one at which `is_over` is set.
    """

    def __init__(self, number: int, stack: Stack, key: NewKey) -> None:
        # A test that fails ends without it.
        super().__init__(daemon=True)
        self._number, self._stack, self._key = number, stack, key
        self.is_over = threading.Event()
        self.recorded: list[str] = []
        """The labels of points that are recorded."""
        self.refused: list[tuple[int, int]] = []
        """Status of HTTP and code of gRPC of every other answer."""
        self.longest_seconds = 0.0
        """How long it waited for one answer."""

    def run(self) -> None:
        with asking(self._stack, self._key) as caller:
            for batch in map(f"turn-{self._number}-{{}}".format, count()):
                point = {"name": "turns", "tags": {"batch": batch}}
                body = {"points": [point], "idempotencyKey": batch}
                while (answer := self._post(caller, body)) != RECORDED:
                    self.refused.append(answer)
                    # It does not take the processor from what it waits for.
                    time.sleep(EVERY_SECONDS)
                self.recorded.append(batch)
                if self.is_over.is_set():
                    return

    def _post(self, caller: Any, body: dict[str, Any]) -> tuple[int, int]:
        began = time.monotonic()
        answer = caller.post(PATH, body)
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
        return answer.status, answer.code


def recordings_of(stack: Stack, key: NewKey, *, once: bool = False) -> list[Recording]:
    """Start ten who record, one point each if it is to be done once."""
    recordings = [Recording(number, stack, key) for number in range(10)]
    for each in recordings:
        if once:
            each.is_over.set()
        each.start()
    return recordings


def end(recordings: list[Recording]) -> dict[str, int]:
    """Wait until all have recorded what they began; return how many points there are by label."""
    for each in recordings:
        each.is_over.set()
    for each in recordings:
        each.join()
    return {batch: 1 for each in recordings for batch in each.recorded}
