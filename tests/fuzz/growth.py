"""What must not grow with requests: memory, descriptors, threads, the write-ahead log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.end_to_end.processes import anonymous_mb, descriptors, envoy_of, server_of, threads
from tests.stack import Stack

# Caches fill, and the allocator keeps what it had at its busiest.
MEGABYTES_AT_MOST: Final = 60.0
# A quarter of the smallest leak that has to be found, which is 400 bytes a request.
BYTES_OF_A_REQUEST_AT_MOST: Final = 100.0
MORE_DESCRIPTORS_AT_MOST: Final = 20
MORE_THREADS_AT_MOST: Final = 10
# SQLite cuts it to 64 MiB when it begins again at its start; until then it may grow.
LOG_AT_MOST_MB: Final = 192.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a product takes after so many requests: server and Envoy, and the log of both."""

    requests: int
    megabytes: tuple[float, float]
    descriptors: tuple[int, int]
    threads: tuple[int, int]
    log_mb: float


def taken(stack: Stack, requests: int) -> Taken:
    """Measure a product."""
    server, envoy = server_of(stack), envoy_of(stack)
    log = Path(f"{stack.db_path}-wal")
    return Taken(
        requests=requests,
        megabytes=(anonymous_mb(server), anonymous_mb(envoy)),
        descriptors=(descriptors(server), descriptors(envoy)),
        threads=(threads(server), threads(envoy)),
        log_mb=log.stat().st_size / 1e6 if log.exists() else 0.0,
    )


def growth(half: Taken, end: Taken) -> list[str]:
    """Return what grew from the half of the requests to their end."""
    requests = end.requests - half.requests
    most_mb = MEGABYTES_AT_MOST + requests * BYTES_OF_A_REQUEST_AT_MOST / 1e6
    faults = []
    for index, name in enumerate(("server", "Envoy")):
        for what, before, after, more in (
            ("MB", half.megabytes[index], end.megabytes[index], most_mb),
            (
                *("descriptors", half.descriptors[index], end.descriptors[index]),
                MORE_DESCRIPTORS_AT_MOST,
            ),
            ("threads", half.threads[index], end.threads[index], MORE_THREADS_AT_MOST),
        ):
            if after > before + more:
                faults.append(f"{name}: from {before:.0f} to {after:.0f} {what}")
    if end.log_mb > LOG_AT_MOST_MB:
        faults.append(f"the write-ahead log has {end.log_mb:.0f} MB")
    return faults
