"""Token buckets of keys: how many calls each makes a second, and how many points it records.

A bucket holds what may be used in one second. Whoever finds at least one token gets all that he
asks for: a call that needs more than there is leaves a debt, which is paid off before the next one.
So a batch of any size passes in the end, and nobody gets more than his rate for long.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache

from vumeter_server.access.authenticator import Caller
from vumeter_server.errors import LimitExceeded

MAX_BUCKETS: Final = 10_000
"""So many keys have buckets; those that were not used for longest begin with a full one again."""
_ROUNDING_SECONDS: Final = 1e-6
"""A retry after as long as the answer says gets through, though sums of seconds are rounded."""


class RateLimits:
    """The buckets of all keys in this process; belongs to the event loop."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        """Take a clock in seconds that nobody can set."""
        self._timer = timer
        # Tokens, and when they were counted, by key.
        self._requests: _Buckets = LRUCache(MAX_BUCKETS)
        self._points: _Buckets = LRUCache(MAX_BUCKETS)

    def take_request(self, caller: Caller) -> None:
        """Use a token for a call; raises LimitExceeded if there is none."""
        rate = caller.limits.requests_per_second
        if rate:
            self._take(self._requests, caller.key_id, rate, 1, "request")

    def take_points(self, caller: Caller, points: int) -> None:
        """Use a token for each point; raises LimitExceeded if there is none."""
        rate = caller.limits.points_per_second
        if rate:
            self._take(self._points, caller.key_id, rate, points, "point")

    def _take(self, buckets: _Buckets, key_id: str, rate: int, cost: int, what: str) -> None:
        now = self._timer()
        tokens, counted_at = buckets.get(key_id, (float(rate), now))
        tokens = min(float(rate), tokens + (now - counted_at) * rate)
        if tokens >= 1 - rate * _ROUNDING_SECONDS:
            buckets[key_id] = (tokens - cost, now)
            return
        buckets[key_id] = (tokens, now)
        raise LimitExceeded(
            f"A key has at most {rate:,} {what}{'s' if rate > 1 else ''} per second",
            retry_after_seconds=max(1, math.ceil((1 - tokens) / rate)),
        )


_Buckets = LRUCache[str, tuple[float, float]]
