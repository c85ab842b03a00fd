"""What is read at the moment of a scrape: lengths of queues, sizes, states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

_log = structlog.get_logger(__name__)

Read = Callable[[], float | Mapping[str, float]]
"""Returns the value of a metric, or values by label; one value has no label.

Any thread may call it; it is quick.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauge:
    """A metric that is read at each scrape; `label` names the one label of several series."""

    name: str
    help: str
    label: str = ""


WRITER_QUEUE: Final = Gauge(
    name="vumeter_writer_queue_jobs", help="Jobs that wait for a transaction of the writer."
)
READER_QUEUE: Final = Gauge(
    name="vumeter_reader_queue_queries",
    help="Queries that wait for the storage or are being answered from it, by pool of readers.",
    label="pool",
)
DATABASE_BYTES: Final = Gauge(name="vumeter_database_bytes", help="Size of the database file.")
WAL_BYTES: Final = Gauge(
    name="vumeter_wal_bytes", help="Size of SQLite's write-ahead log, the file FILE-wal."
)
DISK_FREE_BYTES: Final = Gauge(
    name="vumeter_disk_free_bytes",
    help="Space that this user may still fill in the file system of the database.",
)
STORAGE_DAMAGED: Final = Gauge(
    name="vumeter_storage_damaged",
    help="1 by table where damage was met in the storage since the start; 0 while none was.",
    label="table",
)
FLUSH_LAG_SECONDS: Final = Gauge(
    name="vumeter_flush_lag_seconds",
    help="How long the organization that waits longest has had more points in the head than"
    " VUMETER_FLUSH_AT_POINTS; 0 if none has.",
)
FLUSH_DUE_POINTS: Final = Gauge(
    name="vumeter_flush_due_points",
    help="Points in the heads of the organizations that have to be flushed.",
)
CACHE_BYTES: Final = Gauge(
    name="vumeter_cache_bytes",
    help="Estimated size of what is cached in memory, by cache.",
    label="cache",
)
CACHED_ORGANIZATIONS: Final = Gauge(
    name="vumeter_cached_organizations", help="Organizations of which something is cached."
)
WATCHERS: Final = Gauge(
    name="vumeter_watchers", help="Open watches of live metrics: streams over REST and gRPC."
)
CLOCK_TRUSTED: Final = Gauge(
    name="vumeter_clock_trusted",
    help="1 if the machine's clock is trusted with deletion and with closing calls, otherwise 0.",
)
CLOCK_OFFSET_SECONDS: Final = Gauge(
    name="vumeter_clock_offset_seconds",
    help="How far the machine's clock is ahead of where it is expected; negative if behind.",
)
BUILD: Final = "vumeter_build"
BUILD_HELP: Final = (
    "Versions of vumeter, Python, the storage and gRPC, as labels of vumeter_build_info."
)

GAUGES: Final = tuple(each for each in list(globals().values()) if isinstance(each, Gauge))
"""All of them, in the order in which they are shown."""


class Readings(Collector):
    """Reads gauges at each scrape, and shows which versions run."""

    def __init__(self, read: Mapping[Gauge, Read], versions: Mapping[str, str]) -> None:
        self._read = read
        self._versions = dict(versions)

    def describe(self) -> list[Metric]:
        """Return nothing, so that nothing is read before a scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read everything; what cannot be read is left out, and logged."""
        for gauge in GAUGES:
            read = self._read.get(gauge)
            if read is None:
                continue
            try:
                found = read()
            except Exception:
                _log.exception("metric_not_read", metric=gauge.name)
                continue
            if isinstance(found, Mapping):
                family = GaugeMetricFamily(gauge.name, gauge.help, labels=[gauge.label])
                for label, value in found.items():
                    family.add_metric([label], float(value))
            else:
                family = GaugeMetricFamily(gauge.name, gauge.help, value=float(found))
            yield family
        yield InfoMetricFamily(BUILD, BUILD_HELP, value=self._versions)
