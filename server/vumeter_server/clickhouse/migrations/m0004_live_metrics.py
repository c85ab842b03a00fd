"""Live metrics: events, and what follows from them."""

from __future__ import annotations

from typing import Final

from vumeter_server.clickhouse.layout import Column, Layout

_COLUMNS: Final = (
    Column(name="log", type="Int64"),
    Column(name="kind", type="UInt8"),
    Column(name="name", type="String"),
    Column(name="at", type="Int64"),
    Column(name="part", type="Int64"),
    Column(name="seq", type="Int64 CODEC(Delta, LZ4)"),
    Column(name="entry", type="Int64"),
    Column(name="is_deleted", type="UInt8"),
    Column(name="call_no", type="Int64"),
    Column(name="tenant", type="String"),
    Column(name="place", type="Int64"),
    Column(name="received_us", type="Int64"),
    Column(name="occurred_us", type="Int64"),
    Column(name="type", type="UInt8"),
    Column(name="call", type="String"),
    Column(name="reason", type="UInt8"),
    Column(name="outcome", type="UInt8"),
    Column(name="minutes", type="Nullable(Float64)"),
    Column(name="sequence", type="Nullable(Int64)"),
    Column(name="stage", type="UInt8"),
    Column(name="counter", type="UInt8"),
    Column(name="sign", type="Int8"),
    Column(name="amount", type="Int64"),
    Column(name="payload", type="String CODEC(ZSTD)"),
)
_SERVERS: Final = (
    Column(name="log", type="Int64"),
    Column(name="server", type="String"),
    Column(name="is_gone", type="UInt8"),
)


def statements(layout: Layout) -> list[str]:
    """Return what makes the tables.

    All live metrics are one log (`entry_log`), of number 0, on one shard. The rows of an entry are
    of different kinds (`live_metrics/clickhouse/rows.py`); of those with one sorting key the last
    entry's counts. `live_servers` holds which servers run.
    """
    return [
        *layout.create_table(
            "live_metrics",
            _COLUMNS,
            order_by="(log, kind, name, at, part)",
            shard_by="log",
            merging="Replacing(seq)",
            projections=("by_place (SELECT _part_offset ORDER BY (log, kind, place))",),
            indexes=("by_seq seq TYPE minmax GRANULARITY 1",),
            settings=(
                # An id is looked up by reading so many rows of each part.
                "index_granularity = 1024",
                "deduplicate_merge_projection_mode = 'rebuild'",
                "lightweight_mutation_projection_mode = 'rebuild'",
            ),
        ),
        *layout.create_table(
            "live_servers",
            _SERVERS,
            order_by="(log, server)",
            shard_by="log",
            merging="Replacing(recorded_us)",
        ),
    ]
