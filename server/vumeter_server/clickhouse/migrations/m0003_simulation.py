"""Run tests, executions and simulated calls."""

from __future__ import annotations

from vumeter_server.clickhouse.layout import Column, Layout

NUMBERS = (
    *("duration_seconds", "avg_agent_latency_ms", "response_time_ms"),
    *("total_cost_cents", "stt_cost_cents", "llm_cost_cents", "tts_cost_cents"),
    *("user_wpm", "bot_wpm", "talk_ratio"),
    *("user_interruption_count", "user_interruption_rate"),
    *("ai_interruption_count", "ai_interruption_rate", "avg_stop_time_after_interruption_ms"),
    *("input_tokens", "total_tokens", "output_tokens", "message_count", "turn_count"),
    *("avg_latency_ms", "csat_score"),
)


def statements(layout: Layout) -> list[str]:
    """Return what makes the table.

    It is a log for each organization (`entry_log`), so that what an entry records is there at one
    moment. An entry has a row of kind 0, its position, and rows of what it records: a run test (1),
    an execution (2), a call (3). Of rows with one sorting key the last entry's counts. `first` is
    the entry that recorded a run test or an execution first; a call has that of its execution, so
    that one whose id is used again revives no calls.
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
            *(Column(name=name, type="Nullable(Float64)") for name in NUMBERS),
        ],
        order_by="(organization, kind, execution, call, key, position)",
        shard_by="organization",
        merging="Replacing(seq)",
        indexes=["by_call call TYPE bloom_filter GRANULARITY 1"],
    )
