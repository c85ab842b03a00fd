"""Messages of a stream, read ahead of who works on them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol

MAX_BYTES: Final = 16_000_000
"""How much waits in memory; one message more may be there, and one that is being read."""


class Stream(Protocol):
    """A stream of gRPC."""

    def __next__(self) -> bytes:
        """Wait for the next message."""

    def cancel(self) -> bool:
        """Let a thread that waits for a message wait no longer."""


class ReadAhead(Iterator[bytes]):
    """Reads a stream in a thread of its own, from now on, so that the server need not wait.

    What the stream raises is raised behind the messages before it. `close` ends the stream.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._ended: BaseException | None = None
        self._is_closed = False
        threading.Thread(target=self._read, name="ahead", daemon=True).start()

    def _read(self) -> None:
        try:
            while self._keep(next(self._stream)):
                pass
        except BaseException as raised:
            # StopIteration is among them.
            with self._changed:
                self._ended = raised
                self._changed.notify_all()

    def _keep(self, message: bytes) -> bool:
        """Keep a message once there is room; return whether more are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < MAX_BYTES or self._is_closed)
            self._waiting.append(message)
            self._bytes += len(message)
            self._changed.notify_all()
            return not self._is_closed

    def __next__(self) -> bytes:
        """Return the next message."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended is not None)
            if not self._waiting:
                assert self._ended is not None
                raise self._ended
            message = self._waiting.popleft()
            self._bytes -= len(message)
            self._changed.notify_all()
            return message

    def close(self) -> None:
        """Read no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._stream.cancel()
