"""Recording points from a running agent, without waiting for the network."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import multiprocessing.util
import os
import threading
import time
from collections.abc import Mapping
from types import TracebackType

from vumeter_client.buffer import Buffer, Stats
from vumeter_client.connection import Connection
from vumeter_client.delivery import Delivery
from vumeter_client.points import TagValue
from vumeter_client.recording import Recording
from vumeter_client.settings import endpoint, from_environment

log = logging.getLogger("vumeter_client")

BATCH_POINTS = 2_000
BATCH_BYTES = 1_048_576
LOG_DROPS_EVERY_SECONDS = 60.0
AT_EXIT_SECONDS = 5.0

_live: set[Recorder] = set()
"""Recorders that are not closed; they are when the process exits, even if nobody holds them."""


class Recorder(Recording):
    """Sends points to vumeter in the background.

    A thread sends what was recorded at least once every `interval` seconds, in batches. A batch
    that is not answered is sent again, with growing waits, until it is: the server stores it once.
    Memory is bounded by `max_points` and `max_bytes` of points that are not acknowledged yet. When
    one of them is reached, new points are dropped and counted; those that wait are kept.

    What waits is sent when the recorder is closed and when the process exits, for a few seconds at
    most. A process that is killed loses what it had not sent. A forked child has a recorder of its
    own that begins empty; the points of the parent are sent by the parent.
    """

    _buffer: Buffer
    _delivery: Delivery
    _thread: threading.Thread | None

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        agent_id: str | None = None,
        environment_id: str | None = None,
        tags: Mapping[str, TagValue] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        interval: float = 1.0,
        timeout: float = 10.0,
        max_points: int = 100_000,
        max_bytes: int = 32 * 1_048_576,
    ) -> None:
        """Make a recorder. Nothing is sent before the first point.

        Args:
            url: The REST port of the server. Absent is `VUMETER_URL`, then http://127.0.0.1:8080.
            key: `<key id>.<secret>`, of any role. Absent is `VUMETER_KEY`.
            agent_id: The agent of every point. Absent is `VUMETER_AGENT_ID`, then none.
            environment_id: The environment of every point. Absent is `VUMETER_ENVIRONMENT_ID`,
                then none.
            tags: Tags of every point.
            ca_file: Certificate authorities (PEM) to trust in place of the system's, for https.
                Absent is `VUMETER_CA_FILE`.
            client_cert: A certificate (PEM) to show to a server that asks for one. Absent is
                `VUMETER_CLIENT_CERT`.
            client_key: The key of that certificate, without a passphrase. Absent is
                `VUMETER_CLIENT_KEY`.
            interval: Points wait so many seconds at most for others to be sent with.
            timeout: Seconds to wait for the answer to one request.
            max_points: The bound of points that are not acknowledged.
            max_bytes: The bound of their size in memory.

        Raises:
            ValueError: There is no key, or an argument is not valid.
        """
        if interval < 0 or timeout <= 0 or max_points < 1 or max_bytes < 1:
            raise ValueError("interval, timeout, max_points and max_bytes must be positive")
        labels = {
            "agentId": from_environment(agent_id, "VUMETER_AGENT_ID"),
            "environmentId": from_environment(environment_id, "VUMETER_ENVIRONMENT_ID"),
        }
        super().__init__(self._put, self._reject, labels, tags or {})
        self._log_drops_from = 0.0
        self._endpoint = endpoint(url, key, ca_file, client_cert, client_key)
        self._interval = interval
        self._timeout = timeout
        self._bounds = (max_points, max_bytes)
        self._start_empty()
        _live.add(self)

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what was recorded until now, and wait until it is settled.

        In an event loop call `await asyncio.to_thread(recorder.flush)`.

        Returns:
            Whether everything was sent in time, or rejected by the server. False also if points
            were given up.
        """
        given_up = self._buffer.given_up
        if self.stats.pending:
            self._ensure_running()
        return self._buffer.wait_settled(timeout, given_up)

    def close(self, timeout: float = AT_EXIT_SECONDS) -> bool:
        """Send what waits, for `timeout` seconds at most, and stop.

        What is not sent by then is counted as dropped, and so is every later point.

        Returns:
            Whether everything was sent in time, or rejected by the server.
        """
        given_up = self._buffer.given_up
        self._buffer.close()
        self._delivery.end_within(timeout)
        _live.discard(self)
        if self.stats.pending and not self._ensure_running():
            # An interpreter that is shutting down starts no more threads.
            self._delivery.run(BATCH_BYTES)
        settled = self._buffer.wait_settled(timeout, given_up)
        self._buffer.drop_waiting()
        return settled

    @property
    def stats(self) -> Stats:
        """What became of all points until now."""
        return self._buffer.stats

    def __enter__(self) -> Recorder:
        """Return the recorder itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the recorder."""
        self.close()

    def _put(self, point: bytes) -> bool:
        taken = self._buffer.put(point)
        if not taken:
            self._log_drop()
        elif self._thread is None:
            self._ensure_running()
        return taken

    def _reject(self, name: object, error: Exception) -> None:
        reason = str(error)
        self._buffer.reject_unsent(reason)
        if reason not in self._logged and len(self._logged) < 100:
            self._logged.add(reason)
            log.warning("a point of %r was rejected: %s (said once)", name, reason)

    def _log_drop(self) -> None:
        now = time.monotonic()
        if now >= self._log_drops_from:
            self._log_drops_from = now + LOG_DROPS_EVERY_SECONDS
            why = "the recorder is closed" if self._buffer.closed else "the buffer is full"
            log.warning("points are dropped: %s; until now %d", why, self.stats.dropped)

    def _ensure_running(self) -> bool:
        """Start the thread if there is none; return whether there is one."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._delivery.run,
                    args=(BATCH_BYTES,),
                    name="vumeter-recorder",
                    daemon=True,
                )
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
                _close_with_process()
        return True

    def _start_empty(self) -> None:
        """Begin without points and without a thread: at first, and in a forked child."""
        self._buffer = Buffer(*self._bounds, batch_points=BATCH_POINTS)
        self._delivery = Delivery(
            self._buffer,
            Connection(self._endpoint),
            timeout=self._timeout,
            interval=self._interval,
        )
        self._starting = threading.Lock()
        self._thread = None
        self._log_drops_from = 0.0
        self._logged: set[str] = set()


def _close_all() -> None:
    ends = time.monotonic() + AT_EXIT_SECONDS
    for recorder in list(_live):
        recorder.close(max(0.1, ends - time.monotonic()))


def _close_with_process() -> None:
    """Have recorders closed at the end of a child of multiprocessing.

    It may end without what is registered with atexit.
    """
    if multiprocessing.parent_process() is not None:
        multiprocessing.util.Finalize(None, _close_all, exitpriority=0)


def _start_empty_in_child() -> None:
    for recorder in list(_live):
        recorder._start_empty()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_empty_in_child)
