"""Sends batches until the server has answered for every point of them."""

from __future__ import annotations

import json
import logging
import random
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from vumeter_client.buffer import Buffer
from vumeter_client.connection import Answer, Connection
from vumeter_client.errors import ApiError, VumeterError, error_of

log = logging.getLogger("vumeter_client")

PATH = "/v1/custom-metrics"
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 300.0
FAULTS_UNTIL_GIVEN_UP = 10
"""So often the server may answer a batch with a fault of its own (500)."""
KEY_IS_KNOWN_SECONDS = 23 * 3_600
"""The server knows an idempotency key for at least 24 hours; later a repeat could double."""
KINDS_LOGGED = 100
ALREADY_EXISTS = 6


@dataclass
class _Batch:
    """Points that are sent together, always under the same idempotency key."""

    points: Sequence[bytes]
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    first_sent: float | None = None
    attempts: int = 0
    faults: int = 0

    @property
    def body(self) -> bytes:
        return b'{"idempotencyKey":"%b","points":[%b]}' % (
            self.key.encode(),
            b",".join(self.points),
        )

    def halves(self) -> list[_Batch]:
        middle = len(self.points) // 2
        return [_Batch(self.points[:middle]), _Batch(self.points[middle:])]


class Delivery:
    """Takes batches out of a buffer and sends them, one after the other, in one thread.

    Each batch has an idempotency key of its own, so that a repeat stores nothing twice. A batch
    that the server rejects is sent again without the points that it names. If it names none, the
    halves are sent alone, until the point at fault is alone.
    """

    def __init__(
        self, buffer: Buffer, connection: Connection, *, timeout: float, interval: float
    ) -> None:
        """Send what comes into `buffer`, at the latest `interval` seconds after it came."""
        self._buffer = buffer
        self._connection = connection
        self._timeout = timeout
        self._interval = interval
        self._ends: float | None = None
        self._last_tries = False
        self._logged: set[str] = set()

    def run(self, max_batch_bytes: int) -> None:
        """Send until the buffer is closed and empty."""
        while batch := self._buffer.take(max_batch_bytes, self._interval):
            self._deliver(batch)
            self._buffer.all_settled()
        self._connection.close()

    def end_within(self, seconds: float) -> None:
        """Give up what is not answered in this time; do not wait out a back-off once more."""
        with self._buffer.changed:
            self._ends = time.monotonic() + seconds
            self._last_tries = True
            self._buffer.changed.notify_all()

    def _deliver(self, points: Sequence[bytes]) -> None:
        unsettled = [_Batch(points)]
        while unsettled:
            batch = unsettled.pop()
            try:
                answer = self._send(batch)
            except VumeterError as error:
                self._log_once(f"points were dropped: {error}")
                self._buffer.settle(batch.points)
                continue
            except Exception:
                # Nobody could start this thread again, so it has to go on.
                log.exception("%d points were dropped by an error of the client", len(batch.points))
                self._buffer.settle(batch.points)
                continue
            if answer is None:
                self._buffer.settle(batch.points, sent=True)
            else:
                unsettled += reversed(self._without_rejected(batch, answer))

    def _send(self, batch: _Batch) -> ApiError | None:
        """Send a batch until it is stored or rejected; return the rejection, if it is one.

        Raises:
            VumeterError: The batch was given up; the error is that of the last attempt.
        """
        while True:
            batch.first_sent = batch.first_sent or time.monotonic()
            batch.attempts += 1
            try:
                error = self._attempt(batch)
            except VumeterError as failure:
                error = failure
            if error is None:
                return None
            if isinstance(error, ApiError) and _is_rejection(error):
                return error
            batch.faults += isinstance(error, ApiError) and error.status == 500
            self._buffer.failed(str(error))
            self._log_once(f"sending failed, and is tried again: {error}")
            if self._is_given_up(batch):
                raise error
            self._back_off(batch, error)

    def _attempt(self, batch: _Batch) -> VumeterError | None:
        timeout = self._timeout
        if self._ends is not None:
            timeout = min(timeout, max(0.1, self._ends - time.monotonic()))
        answer = self._connection.post(PATH, batch.body, timeout, "application/json")
        if _is_recorded(answer):
            return None
        error = error_of(answer.status, answer.headers, answer.body)
        if isinstance(error, ApiError) and error.code == ALREADY_EXISTS:
            # Nobody else has this key, so that only an attempt of this batch can have used it.
            return None
        return error

    def _without_rejected(self, batch: _Batch, error: ApiError) -> list[_Batch]:
        """Settle the points at fault; return what is to be sent without them."""
        at_fault = {
            violation.point: violation.description
            for violation in reversed(error.violations)
            if violation.point is not None and violation.point < len(batch.points)
        }
        if error.status == 429:
            at_fault |= _of_same_metrics(batch.points, error)
        if not at_fault:
            if len(batch.points) > 1:
                return batch.halves()
            at_fault = {0: error.message}
        for index, description in sorted(at_fault.items()):
            point = batch.points[index]
            # Which place it had in a batch says nothing to who recorded it.
            reason = re.sub(r"points\[\d+\]\.?", "", description).strip()
            self._buffer.settle([point], rejection=reason)
            self._log_once(f"a point of {json.loads(point)['name']!r} was rejected: {reason}")
        rest = [point for index, point in enumerate(batch.points) if index not in at_fault]
        return [_Batch(rest)] if rest else []

    def _is_given_up(self, batch: _Batch) -> bool:
        now = time.monotonic()
        too_old = now - (batch.first_sent or now) > KEY_IS_KNOWN_SECONDS
        ended = self._ends is not None and now >= self._ends
        return ended or too_old or batch.faults >= FAULTS_UNTIL_GIVEN_UP

    def _back_off(self, batch: _Batch, error: VumeterError) -> None:
        """Wait before the next attempt.

        Who waits for the points (`flush`) shortens a wait of our own; the server's is honored.
        Closing ends either once: there may be no later.
        """
        longest = min(
            LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(batch.attempts - 1, 9)
        )
        seconds = random.uniform(longest / 2, longest)  # noqa: S311 - spreads callers in time
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is not None:
            seconds = max(seconds, min(asked, LONGEST_RETRY_AFTER_SECONDS))
        wanted_before = self._buffer.is_wanted
        with self._buffer.changed:
            if self._ends is not None:
                seconds = min(seconds, max(0.0, self._ends - time.monotonic()))
            self._buffer.changed.wait_for(
                lambda: (
                    self._last_tries
                    or (asked is None and self._buffer.is_wanted and not wanted_before)
                ),
                timeout=seconds,
            )
            self._last_tries = False

    def _log_once(self, message: str) -> None:
        kind = re.sub(r"\d+", "N", message)
        if kind not in self._logged and len(self._logged) < KINDS_LOGGED:
            self._logged.add(kind)
            log.warning("%s (said once; see Recorder.stats)", message)


def _of_same_metrics(points: Sequence[bytes], error: ApiError) -> dict[int, str]:
    """Return the points of metrics that are beyond a limit, and why.

    The server names the first point of one; the others would not be taken either.
    """
    names = [json.loads(point)["name"] for point in points]
    reasons = {
        names[each.point]: each.description
        for each in error.violations
        if each.point is not None and each.point < len(names) and each.field.endswith("].name")
    }
    return {index: reasons[name] for index, name in enumerate(names) if name in reasons}


def _is_recorded(answer: Answer) -> bool:
    """Whether the answer is the server's own; a page of somebody else with status 200 is not."""
    if answer.status != 200:
        return False
    try:
        return "recorded" in json.loads(answer.body)["data"]
    except (ValueError, TypeError, KeyError):
        return False


def _is_rejection(error: ApiError) -> bool:
    """Whether the same points would never be stored, so that no repeat helps."""
    if error.status in (400, 413):
        return True
    # A limit, of one metric say, that only these points are beyond.
    return error.status == 429 and any(each.point is not None for each in error.violations)
