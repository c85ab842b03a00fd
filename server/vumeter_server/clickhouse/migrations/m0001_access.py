"""Organizations, keys, limits and the audit."""

from __future__ import annotations

from vumeter_server.clickhouse.layout import Column, Layout


def statements(layout: Layout) -> list[str]:
    """Return what makes the tables.

    `organizations` and `organization_entries` are logs (`entry_log`). The first is one log: entry n
    gives a name to organization n. The second is one log for each organization: it is created, gets
    keys and limits, loses them, is deleted. So whatever a key needs is on one shard.
    """
    return [
        *layout.create_table(
            "organizations",
            [
                Column(name="log", type="Int64"),
                Column(name="seq", type="Int64"),
                Column(name="entry", type="Int64"),
                Column(name="name", type="String"),
            ],
            order_by="(log, seq)",
            shard_by="log",
        ),
        *layout.create_table(
            "organization_entries",
            [
                Column(name="organization", type="Int64"),
                Column(name="seq", type="Int64"),
                Column(name="entry", type="Int64"),
                Column(name="kind", type="LowCardinality(String)"),
                Column(name="occurred_us", type="Int64"),
                Column(name="key_id", type="String"),
                Column(name="content", type="String"),
            ],
            order_by="(organization, seq)",
            shard_by="organization",
            indexes=["by_key key_id TYPE bloom_filter GRANULARITY 1"],
        ),
        *layout.create_table(
            "key_uses",
            [
                Column(name="batch", type="SimpleAggregateFunction(any, Int64)"),
                Column(name="key_id", type="String"),
                Column(name="used_us", type="SimpleAggregateFunction(max, Int64)"),
            ],
            order_by="key_id",
            shard_by="batch",
            merging="Aggregating",
            is_recorded=False,
        ),
        *layout.create_table(
            "audit_entries",
            [
                Column(name="organization", type="Int64"),
                Column(name="occurred_us", type="Int64"),
                Column(name="content", type="String"),
            ],
            order_by="(organization, occurred_us)",
            shard_by="organization",
        ),
    ]
