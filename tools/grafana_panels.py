"""The panels of the Grafana dashboard of own metrics, in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

AT = 'job="$job", instance=~"$instance"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A panel of lines; each query has the legend of its series."""

    title: str
    help: str
    unit: str
    queries: Sequence[tuple[str, str]]
    width: int = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A panel of one number: the last value."""

    title: str
    help: str
    unit: str
    query: str
    width: int = 4


def rate(metric: str, by: str = "") -> str:
    """Return the rate of a counter, summed over workers."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{AT}}}[$__rate_interval]))"


def quantile(metric: str, p: float, by: str = "") -> str:
    """Return a quantile of a histogram over all workers."""
    labels = f"le, {by}" if by else "le"
    buckets = f"sum by ({labels}) (rate({metric}_bucket{{{AT}}}[$__rate_interval]))"
    return f"histogram_quantile({p}, {buckets})"


def total(metric: str, by: str = "", more: str = "") -> str:
    """Return the sum of a gauge over its other labels."""
    return f"sum{f' by ({by})' if by else ''} ({metric}{{{AT}{more}}})"


ROWS: Sequence[tuple[str, Sequence[Chart | Number]]] = (
    (
        "Now",
        (
            Number(
                title="Workers up",
                help="Server processes that answered the last scrape.",
                unit="none",
                query=total("vumeter_worker_up"),
            ),
            Number(
                title="Calls/s",
                help="Calls that are answered per second, over REST and gRPC.",
                unit="reqps",
                query=rate("vumeter_requests_total"),
            ),
            Number(
                title="Points/s",
                help="Points of custom metrics that are recorded per second.",
                unit="cps",
                query=rate("vumeter_recorded_points_total"),
            ),
            Number(
                title="Active calls",
                help="Live calls of all tenants.",
                unit="none",
                query=total("vumeter_live_active_calls"),
            ),
            Number(
                title="Watchers",
                help="Open watches of live metrics.",
                unit="none",
                query=total("vumeter_watchers"),
            ),
            Number(
                title="Clock",
                help="1: the clock is trusted. 0: retention and closing pause.",
                unit="none",
                query=f"min (vumeter_clock_trusted{{{AT}}})",
            ),
        ),
    ),
    (
        "Requests",
        (
            Chart(
                title="Calls by method",
                help="Calls per second.",
                unit="reqps",
                queries=[(rate("vumeter_requests_total", "method"), "{{method}}")],
            ),
            Chart(
                title="Calls that are not OK, by status",
                help="Calls per second.",
                unit="reqps",
                queries=[
                    (
                        "sum by (code) (rate(vumeter_requests_total"
                        f'{{{AT}, code!="OK"}}[$__rate_interval]))',
                        "{{code}}",
                    )
                ],
            ),
            Chart(
                title="Duration of calls",
                help="Quantiles over all methods, without streams.",
                unit="s",
                queries=[
                    (quantile("vumeter_request_duration_seconds", p), f"p{100 * p:g}")
                    for p in (0.5, 0.95, 0.99)
                ],
            ),
            Chart(
                title="p99 by method",
                help="The 99th percentile of the duration of calls.",
                unit="s",
                queries=[
                    (quantile("vumeter_request_duration_seconds", 0.99, "method"), "{{method}}")
                ],
                width=12,
            ),
            Chart(
                title="Calls in flight",
                help="Calls that are being answered, open streams among them.",
                unit="none",
                queries=[(total("vumeter_requests_in_flight", "method"), "{{method}}")],
                width=12,
            ),
        ),
    ),
    (
        "Recording",
        (
            Chart(
                title="Recorded",
                help="What is acknowledged per second.",
                unit="cps",
                queries=[
                    (rate("vumeter_recorded_points_total"), "points"),
                    (rate("vumeter_recorded_events_total"), "events"),
                    (rate("vumeter_recorded_calls_total"), "simulated calls"),
                ],
            ),
            Chart(
                title="Rejected points by reason",
                help="Points per second.",
                unit="cps",
                queries=[(rate("vumeter_rejected_points_total", "reason"), "{{reason}}")],
            ),
            Chart(
                title="Rejected recordings by reason",
                help="Calls per second.",
                unit="reqps",
                queries=[(rate("vumeter_rejected_recordings_total", "reason"), "{{reason}}")],
            ),
        ),
    ),
    (
        "Storage",
        (
            Chart(
                title="Time to commit",
                help="A commit syncs the file: everything that is recorded waits for it.",
                unit="s",
                queries=[
                    (quantile("vumeter_commit_duration_seconds", p), f"commit p{100 * p:g}")
                    for p in (0.5, 0.99)
                ]
                + [(quantile("vumeter_transaction_duration_seconds", 0.99), "transaction p99")],
            ),
            Chart(
                title="Waiting",
                help="Jobs that wait for the writer, queries that wait or run.",
                unit="none",
                queries=[
                    (total("vumeter_writer_queue_jobs"), "writer"),
                    (total("vumeter_reader_queue_queries", "pool"), "readers, {{pool}}"),
                ],
            ),
            Chart(
                title="Jobs and failed transactions",
                help="Per second.",
                unit="cps",
                queries=[
                    (rate("vumeter_committed_jobs_total"), "jobs"),
                    (rate("vumeter_failed_transactions_total"), "failed transactions"),
                ],
            ),
            Chart(
                title="Flush lag",
                help="For how long the organization that waits longest has been due.",
                unit="s",
                queries=[(f"max (vumeter_flush_lag_seconds{{{AT}}})", "lag")],
                width=6,
            ),
            Chart(
                title="Points that have to be flushed",
                help="In the heads of organizations that are due.",
                unit="none",
                queries=[(total("vumeter_flush_due_points"), "points")],
                width=6,
            ),
            Chart(
                title="On disk",
                help="The database file and SQLite's write-ahead log.",
                unit="bytes",
                queries=[
                    (total("vumeter_database_bytes"), "database"),
                    (total("vumeter_wal_bytes"), "write-ahead log"),
                ],
                width=6,
            ),
            Chart(
                title="Free on disk",
                help="When it is 0, recording is answered with 503.",
                unit="bytes",
                queries=[(f"min (vumeter_disk_free_bytes{{{AT}}})", "free")],
                width=6,
            ),
        ),
    ),
    (
        "Live metrics",
        (
            Chart(
                title="Active calls, ten largest tenants",
                help="Calls that have started and not ended.",
                unit="none",
                queries=[
                    (
                        f"topk(10, {total('vumeter_live_active_calls', 'tenant_id')})",
                        "{{tenant_id}}",
                    )
                ],
            ),
            Chart(
                title="Calls accepted, started, ended",
                help="Per second.",
                unit="cps",
                queries=[
                    (rate("vumeter_live_accepted_calls_total"), "accepted"),
                    (rate("vumeter_live_started_calls_total"), "started"),
                    (rate("vumeter_live_ended_calls_total", "outcome"), "ended: {{outcome}}"),
                ],
            ),
            Chart(
                title="Rejected calls by reason",
                help="Per second.",
                unit="cps",
                queries=[(rate("vumeter_live_rejected_calls_total", "reason"), "{{reason}}")],
            ),
        ),
    ),
    (
        "Processes",
        (
            Chart(
                title="Memory",
                help="Resident memory of each server process.",
                unit="bytes",
                queries=[(total("process_resident_memory_bytes", "worker"), "worker {{worker}}")],
            ),
            Chart(
                title="CPU",
                help="Cores that are busy.",
                unit="none",
                queries=[(rate("process_cpu_seconds_total", "worker"), "worker {{worker}}")],
            ),
            Chart(
                title="Caches",
                help="What is cached in memory.",
                unit="bytes",
                queries=[(total("vumeter_cache_bytes", "cache"), "{{cache}}")],
            ),
        ),
    ),
)
