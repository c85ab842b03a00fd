"""The core and its store of custom metrics, called in process with and without limits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.streams import IN_FLIGHT
from bench.without_limits import RatesWithoutLimits, RecorderWithoutLimits
from vumeter_server.access.authenticator import Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.access.roles import Role
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.custom_metrics.ingest import CheckedBatch, Recording
from vumeter_server.custom_metrics.model import Batch
from vumeter_server.custom_metrics.rejections import RejectionCounter
from vumeter_server.custom_metrics.sqlite import SqliteMetricStore
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.limits import DEFAULT_LIMITS
from vumeter_server.sqlite import open_database

MOST_VALUES: Final = 500
"""More than any label of the data set has, and fewer than an answer shows."""
LIMITS: Final[Mapping[str, int]] = {
    "requests_per_second": 1_000_000,
    "points_per_second": 100_000_000,
    "metrics": 1_000,
    "label_sets": 500_000,
    "label_values": MOST_VALUES,
}
_ORGANIZATION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class InProcess:
    """A store, and the use case of recording on it."""

    store: SqliteMetricStore
    recording: Recording
    caller: Caller
    runner: asyncio.Runner

    @classmethod
    @contextlib.contextmanager
    def opened(cls, directory: Path, *, limited: bool) -> Iterator[InProcess]:
        """Open a store in a directory of its own; it keeps all limits, or has no code for any."""
        directory.mkdir()
        database = open_database(directory / "vumeter.db")
        SqliteKeyAdministration(database).create_key("bench", Role.OWNER, None)
        writer, readers = database.writer(), database.readers()
        store = SqliteMetricStore(writer, readers, system_clock)
        if not limited:
            store.recorder = RecorderWithoutLimits()
        rates = RateLimits() if limited else RatesWithoutLimits()
        recording = Recording(
            store=store,
            clock=system_clock,
            rejections=RejectionCounter(store.usage, system_clock),
            rates=rates,
        )
        limits = DEFAULT_LIMITS.changed_by(LIMITS)
        caller = Caller(
            organization_id=_ORGANIZATION, role=Role.OWNER, key_id="bench", limits=limits
        )
        try:
            with asyncio.Runner() as runner:
                yield cls(store=store, recording=recording, caller=caller, runner=runner)
        finally:
            writer.close()
            readers.close()

    def record(self, batches: Sequence[Batch]) -> float:
        """Record batches, 16 in flight; return the seconds. Then flush, beside the clock."""

        async def record_all() -> float:
            free = asyncio.Semaphore(IN_FLIGHT)

            async def record(batch: Batch) -> None:
                async with free:
                    self.recording.rates.take_request(self.caller)
                    checked = CheckedBatch(
                        batch=batch, idempotency=None, received_us=system_clock()
                    )
                    await self.recording.record(self.caller, checked)

            started = time.perf_counter()
            await asyncio.gather(*map(record, batches))
            seconds = time.perf_counter() - started
            await self.store.maintenance.flush(everything=True)
            return seconds

        return self.runner.run(record_all())

    def values_of(self, label: str) -> list[str]:
        """Return the values of a label, those in the first 2 * MOST_VALUES by code point."""
        tags = self.runner.run(self.store.tags(_ORGANIZATION, None, None, 2 * MOST_VALUES))
        return list(tags[label].values)
