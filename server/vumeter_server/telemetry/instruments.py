"""What the server counts of its own work, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

# Without the times at which series began: they would double the series of a scrape.
prometheus_client.disable_created_metrics()

REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10)
COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class WorkerRegistry(CollectorRegistry):
    """A registry whose series all have the label `worker`: the number of the server process."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = str(worker)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with the label."""
        for metric in super().collect():
            metric.samples = [
                Sample(each.name, {"worker": self._worker, **each.labels}, *each[2:])
                for each in metric.samples
            ]
            yield metric


class Instruments:
    """Counters and histograms of one server process; any thread may use them.

    `worker` is the number of the process: 1 writes, the others of one start answer queries. The
    series of `rejection_reasons` begin at 0, so that the first rejection is seen as an increase.
    """

    def __init__(self, worker: int = 1, rejection_reasons: Iterable[str] = ()) -> None:
        self.registry = registry = WorkerRegistry(worker)
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "vumeter_requests_total",
            "Calls that were answered, by method and gRPC status. A stream counts when it ends.",
            ["method", "code"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "vumeter_request_duration_seconds",
            "Time from the arrival of a call to its answer. Streams are not observed.",
            ["method"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self.requests_in_flight = Gauge(
            "vumeter_requests_in_flight",
            "Calls that are being answered, open streams among them.",
            ["method"],
            registry=registry,
        )
        self.recorded_points = Counter(
            "vumeter_recorded_points_total",
            "Points of custom metrics that were acknowledged. Repeats count.",
            registry=registry,
        )
        self.recorded_events = Counter(
            "vumeter_recorded_events_total",
            "Call events of live metrics that were acknowledged. Repeats count.",
            registry=registry,
        )
        self.recorded_calls = Counter(
            "vumeter_recorded_calls_total",
            "Simulated calls that were acknowledged. Repeats count.",
            registry=registry,
        )
        self.rejected_points = Counter(
            "vumeter_rejected_points_total",
            "Points of custom metrics that were rejected, by reason.",
            ["reason"],
            registry=registry,
        )
        self.rejected_recordings = Counter(
            "vumeter_rejected_recordings_total",
            "Calls that record custom metrics and were rejected, in whole or in part, by reason.",
            ["reason"],
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "vumeter_commit_duration_seconds",
            "Time in which a transaction of the writer is committed and synced to disk.",
            buckets=COMMIT_SECONDS,
            registry=registry,
        )
        self.transaction_seconds = Histogram(
            "vumeter_transaction_duration_seconds",
            "Time that a transaction of the writer takes, from its begin to the end of its commit.",
            buckets=COMMIT_SECONDS,
            registry=registry,
        )
        self.committed_jobs = Counter(
            "vumeter_committed_jobs_total",
            "Jobs of the writer that were committed. Those that wait together share a transaction.",
            registry=registry,
        )
        self.failed_transactions = Counter(
            "vumeter_failed_transactions_total",
            "Transactions of the writer that the storage failed: full, busy or damaged.",
            registry=registry,
        )

        for reason in rejection_reasons:
            self.rejected_recordings.labels(reason)
            self.rejected_points.labels(reason)

    def rejected(self, reason: str, points: int) -> None:
        """Count a recording that was rejected, or some points of it."""
        self.rejected_recordings.labels(reason).inc()
        self.rejected_points.labels(reason).inc(points)

    def committed(self, jobs: int, transaction_seconds: float, commit_seconds: float) -> None:
        """Count a transaction of the writer."""
        self.commit_seconds.observe(commit_seconds)
        self.transaction_seconds.observe(transaction_seconds)
        self.committed_jobs.inc(jobs)

    def failed(self) -> None:
        """Count a transaction that failed."""
        self.failed_transactions.inc()
