"""Run tests, executions and simulated calls."""

from __future__ import annotations

from vumeter_server.clickhouse.layout import Column, Layout


def statements(layout: Layout) -> list[str]:
    """Return what makes the table.

    It is a log for each organization (`entry_log`), so that what an entry records is there at one
    moment. An entry has a row of kind 0, its position, and rows of what it records: a run test (1),
    an execution (2), a call (3). Of rows with one sorting key the last entry's counts. `first` is
    the entry that recorded a run test or an execution first; a call has that of its execution, so
    that one whose id is used again revives no calls. `numbers` are in the order in which the model
    names them; a later version may add some at the end.
    """
    return layout.create_table(
        "simulation",
        [
            Column(name="organization", type="Int64"),
            Column(name="kind", type="Int64"),
            Column(name="execution", type="String"),
            Column(name="call", type="String"),
            Column(name="key", type="String"),
            Column(name="position", type="Int64"),
            Column(name="seq", type="Int64"),
            Column(name="entry", type="Int64"),
            Column(name="first", type="Int64"),
            Column(name="is_deleted", type="UInt8"),
            Column(name="name", type="String"),
            Column(name="status", type="LowCardinality(String)"),
            *(
                Column(name=name, type="Nullable(Int64)")
                for name in (
                    *("started_at", "completed_at"),
                    *("total_calls", "completed_calls", "failed_calls"),
                )
            ),
            *(
                Column(name=name, type="Nullable(String)")
                for name in ("customer_latency_metrics", "customer_cost_breakdown")
            ),
            Column(name="numbers", type="Array(Nullable(Float64))"),
        ],
        order_by="(organization, kind, execution, call, key, position)",
        shard_by="organization",
        merging="Replacing(seq)",
        indexes=["by_call call TYPE bloom_filter GRANULARITY 1"],
    )
