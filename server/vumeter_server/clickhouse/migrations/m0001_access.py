"""Organizations, keys, limits and the audit."""

from __future__ import annotations

from vumeter_server.clickhouse.layout import Column, Layout


def statements(layout: Layout) -> list[str]:
    """Return what makes the tables.

    `organization_names` and `organization_entries` are logs (`entry_log`): which organization has a
    name, and all that happened to an organization: it is created, gets keys and limits, loses them,
    is deleted. An organization's number is drawn at random, so that a shard is found by it.
    """
    return [
        *layout.create_table(
            "organization_names",
            [
                Column(name="name", type="String"),
                Column(name="seq", type="Int64"),
                Column(name="entry", type="Int64"),
                Column(name="organization", type="Int64"),
            ],
            order_by="(name, seq)",
            shard_by="name",
        ),
        *layout.create_table(
            "organization_entries",
            [
                Column(name="organization", type="Int64"),
                Column(name="seq", type="Int64"),
                Column(name="entry", type="Int64"),
                Column(name="kind", type="LowCardinality(String)"),
                Column(name="occurred_us", type="Int64"),
                Column(name="name", type="String"),
                Column(name="key_id", type="String"),
                Column(name="content", type="String"),
            ],
            order_by="(organization, seq)",
            shard_by="organization",
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
                Column(name="batch", type="Int64"),
                Column(name="occurred_us", type="Int64"),
                Column(name="key_id", type="Nullable(String)"),
                Column(name="user", type="Nullable(String)"),
                Column(name="command", type="Nullable(String)"),
                Column(name="action", type="LowCardinality(String)"),
                Column(name="organization", type="Nullable(String)"),
                Column(name="target", type="String"),
                Column(name="details", type="String"),
            ],
            order_by="occurred_us",
            shard_by="batch",
        ),
    ]
