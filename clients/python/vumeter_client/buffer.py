"""Points on their way: a queue with bounds, and what became of every point."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

OVERHEAD_BYTES = 64
"""What Python adds to the text of a point."""


@dataclass(frozen=True)
class Stats:
    """What became of the points. `recorded` is always the sum of the other four."""

    recorded: int
    """Calls that recorded a point, whatever became of it."""
    sent: int
    """Points that the server has acknowledged: they are on its disk."""
    dropped: int
    """Points that were lost: the buffer was full, or the recorder was closed too early for them."""
    rejected: int
    """Points that the server will never take, such as one with a tag that is too long."""
    pending: int
    """Points that wait, or that are on their way."""
    last_rejection: str | None
    """Why the last of `rejected` was rejected."""
    last_failure: str | None
    """Why the last attempt to send failed; it is tried again."""


class Buffer:
    """The points that are not settled yet, at most so many and so many bytes.

    When it is full, a new point is dropped, and what waits is kept: a point that was taken is given
    up only when the recorder is closed. All methods may be called from any thread.
    """

    def __init__(self, max_points: int, max_bytes: int, batch_points: int) -> None:
        """Make an empty buffer; `batch_points` waiting points are worth sending at once."""
        self.changed = threading.Condition(threading.RLock())
        self.closed = False
        self._max_points = max_points
        self._max_bytes = max_bytes
        self._batch_points = batch_points
        self._waiting: deque[bytes] = deque()
        self._oldest_since = 0.0
        self._bytes = 0
        self._recorded = self._sent = self._dropped = self._rejected = 0
        self.given_up = 0
        """How many points were taken and then dropped."""
        self._put = self._taken = self._done = self._wanted = 0
        self._last_rejection: str | None = None
        self._last_failure: str | None = None

    def put(self, point: bytes) -> bool:
        """Add a point; return False if it was dropped."""
        size = len(point) + OVERHEAD_BYTES
        with self.changed:
            is_full = self._pending >= self._max_points or self._bytes + size > self._max_bytes
            self._recorded += 1
            if self.closed or is_full:
                self._dropped += 1
                return False
            self._bytes += size
            self._put += 1
            self._waiting.append(point)
            if len(self._waiting) == 1:
                self._oldest_since = time.monotonic()
            if len(self._waiting) in (1, self._batch_points):
                self.changed.notify_all()
            return True

    def reject_unsent(self, reason: str) -> None:
        """Count a call whose point cannot even be written down."""
        with self.changed:
            self._recorded += 1
            self._rejected += 1
            self._last_rejection = reason

    def take(self, max_bytes: int, wait_seconds: float) -> list[bytes]:
        """Wait until there is something worth sending; return it, nothing once closed and empty.

        That is a full batch, a point that has waited for `wait_seconds`, or anything if somebody
        waits for it.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._waiting or self.closed)
            due = self._oldest_since + wait_seconds
            self.changed.wait_for(
                lambda: self.closed or self.is_wanted or len(self._waiting) >= self._batch_points,
                timeout=max(0.0, due - time.monotonic()),
            )
            batch: list[bytes] = []
            size = 0
            while self._waiting and len(batch) < self._batch_points:
                size += len(self._waiting[0]) + 1
                if batch and size > max_bytes:
                    break
                batch.append(self._waiting.popleft())
            self._oldest_since = time.monotonic()
            self._taken += len(batch)
            return batch

    def settle(
        self, points: Sequence[bytes], *, sent: bool = False, rejection: str | None = None
    ) -> None:
        """Count taken points as sent, as rejected with this reason, or else as dropped."""
        with self.changed:
            self._bytes -= sum(len(point) + OVERHEAD_BYTES for point in points)
            if sent:
                self._sent += len(points)
            elif rejection is not None:
                self._rejected += len(points)
                self._last_rejection = rejection
            else:
                self._dropped += len(points)
                self.given_up += len(points)

    def all_settled(self) -> None:
        """Say that everything that was taken is settled."""
        with self.changed:
            self._done = self._taken
            self.changed.notify_all()

    def failed(self, reason: str) -> None:
        """Remember why an attempt failed."""
        with self.changed:
            self._last_failure = reason

    def wait_settled(self, timeout: float, given_up_before: int) -> bool:
        """Wait until every point of now is settled.

        Return whether that came in time and no more points were given up than before.
        """
        with self.changed:
            goal = self._put
            self._wanted = max(self._wanted, goal)
            self.changed.notify_all()
            in_time = self.changed.wait_for(lambda: self._done >= goal, timeout=timeout)
            return in_time and self.given_up == given_up_before

    def close(self) -> None:
        """Take no more points; what waits can still be sent."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def drop_waiting(self) -> None:
        """Give up what has not been taken yet."""
        with self.changed:
            points = list(self._waiting)
            self._waiting.clear()
            self.settle(points)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for points that have not been settled."""
        return self._wanted > self._done

    @property
    def stats(self) -> Stats:
        """What became of the points until now."""
        with self.changed:
            return Stats(
                recorded=self._recorded,
                sent=self._sent,
                dropped=self._dropped,
                rejected=self._rejected,
                pending=self._pending,
                last_rejection=self._last_rejection,
                last_failure=self._last_failure,
            )

    @property
    def _pending(self) -> int:
        return self._recorded - self._sent - self._dropped - self._rejected
