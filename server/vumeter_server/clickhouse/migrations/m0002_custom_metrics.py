"""Custom metrics: points with the logs of their organizations, and what was rejected."""

from __future__ import annotations

from typing import Final

from vumeter_server.clickhouse.layout import Column, Layout

_POINTS: Final = (
    Column(name="organization", type="Int64"),
    Column(name="metric", type="LowCardinality(String)"),
    Column(name="time_us", type="Int64 CODEC(Delta, LZ4)"),
    Column(name="seq", type="Int64 CODEC(Delta, LZ4)"),
    Column(name="number", type="UInt32 CODEC(Delta, LZ4)"),
    Column(name="entry", type="Int64"),
    Column(name="kind", type="UInt8"),
    Column(name="value", type="Float64"),
    Column(name="agent", type="LowCardinality(String)"),
    Column(name="environment", type="LowCardinality(String)"),
    Column(name="session", type="String"),
    Column(name="tags", type="Map(LowCardinality(String), LowCardinality(String))"),
    Column(name="is_distribution", type="UInt8"),
    Column(name="value_count", type="UInt64"),
    Column(name="minimum", type="Float64"),
    Column(name="maximum", type="Float64"),
    Column(name="bucket_lower", type="Array(Float64)"),
    Column(name="bucket_upper", type="Array(Float64)"),
    Column(name="bucket_counts", type="Array(UInt64)"),
    Column(name="payload", type="String CODEC(ZSTD)"),
    Column(name="logged_us", type="Int64"),
)
_REJECTIONS: Final = (
    Column(name="batch", type="Int64"),
    Column(name="organization", type="Int64"),
    Column(name="hour", type="Int64"),
    Column(name="reason", type="LowCardinality(String)"),
    Column(name="key_id", type="String"),
    Column(name="requests", type="Int64"),
    Column(name="points", type="Int64"),
    Column(name="last_us", type="Int64"),
)


def statements(layout: Layout) -> list[str]:
    """Return what makes the tables.

    An organization is on one shard with all it has. Rejections of several organizations are saved
    together, so they lie where their batch does.
    """
    return [
        *layout.create_table(
            "metric_points",
            _POINTS,
            order_by="(organization, metric, time_us, seq, number)",
            shard_by="organization",
            projections=("by_session (SELECT _part_offset ORDER BY (organization, session))",),
            settings=("lightweight_mutation_projection_mode = 'rebuild'",),
        ),
        *layout.create_table(
            "metric_rejections",
            _REJECTIONS,
            order_by="(organization, hour)",
            shard_by="batch",
            is_recorded=False,
        ),
    ]
