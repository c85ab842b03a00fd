"""Calls that arrive while a server ends."""

from __future__ import annotations

import asyncio
from typing import Final

from vumeter_server.errors import Unavailable

QUIET_SECONDS: Final = 0.3
MOST_SECONDS: Final = 1.5


class Arrivals:
    """Lets calls in until the server ends, and rejects those that arrive then.

    gRPC rejects new calls itself once it is stopped. But to those that it has received by then,
    and that no handler has begun, it answers CANCELLED, which a caller does not try again
    (https://github.com/grpc/grpc/issues/41785). What is left is a call that is on its way at the
    moment of the stop, from a caller that made none shortly before.
    """

    def __init__(self) -> None:
        self._is_closed = False
        self._rejected = 0

    def let_in(self) -> None:
        """Raise Unavailable once the server ends."""
        if self._is_closed:
            self._rejected += 1
            raise Unavailable("Shutting down")

    async def reject_waiting(self) -> None:
        """Reject calls until none has arrived for 0.3 seconds, or for 1.5 seconds."""
        self._is_closed = True
        for _ in range(round(MOST_SECONDS / QUIET_SECONDS)):
            before = self._rejected
            await asyncio.sleep(QUIET_SECONDS)
            if self._rejected == before:
                return
