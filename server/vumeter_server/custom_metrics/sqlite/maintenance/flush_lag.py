"""How far flushing is behind recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


class FlushLag:
    """The logs that have to be flushed, and since when; any thread may ask."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take a clock in seconds that nobody can set."""
        self._monotonic = monotonic
        self._since: Mapping[int, float] = {}
        self.points = 0
        """How many points they hold."""

    def note(self, due: Mapping[int, int]) -> None:
        """Take the organizations whose logs are due now, with the points of each."""
        now, before = self._monotonic(), self._since
        self._since = {organization_id: before.get(organization_id, now) for organization_id in due}
        self.points = sum(due.values())

    def done(self, organization_id: int) -> None:
        """Take note that a log was flushed."""
        self._since = {each: at for each, at in self._since.items() if each != organization_id}

    def seconds(self) -> float:
        """Return how long the log that waits longest has been due; 0 if none is."""
        since = self._since
        return max(0.0, self._monotonic() - min(since.values())) if since else 0.0
