"""Run tests, executions, calls, and what the calls of an execution add up to."""

from sqlite_utils import Database

# As they were when this migration was written; it never follows later changes of the code.
_STATUSES = ("pending", "registered", "ongoing", "analyzing", "completed", "failed", "cancelled")
_NUMBERS = (
    "duration_seconds",
    "avg_agent_latency_ms",
    "response_time_ms",
    "total_cost_cents",
    "stt_cost_cents",
    "llm_cost_cents",
    "tts_cost_cents",
    "user_wpm",
    "bot_wpm",
    "talk_ratio",
    "user_interruption_count",
    "user_interruption_rate",
    "ai_interruption_count",
    "ai_interruption_rate",
    "avg_stop_time_after_interruption_ms",
    "input_tokens",
    "total_tokens",
    "output_tokens",
    "message_count",
    "turn_count",
    "avg_latency_ms",
    "csat_score",
)


def migrate(db: Database) -> None:
    """Create the tables whose names begin with `simulation_`."""
    db.execute("""
        CREATE TABLE simulation_run_tests (
            run_test_key INTEGER PRIMARY KEY,
            organization_id INTEGER NOT NULL REFERENCES organizations,
            run_test_name TEXT NOT NULL,
            UNIQUE (organization_id, run_test_name)
        ) STRICT
    """)
    # The key is the order of first recording, and is never used again: calls of a deleted execution
    # may outlive it for a moment.
    db.execute("""
        CREATE TABLE simulation_executions (
            execution_key INTEGER PRIMARY KEY AUTOINCREMENT,
            organization_id INTEGER NOT NULL REFERENCES organizations,
            execution_id BLOB NOT NULL CHECK (length(execution_id) = 16),
            run_test_key INTEGER NOT NULL REFERENCES simulation_run_tests,
            status TEXT NOT NULL,
            started_at INTEGER,
            completed_at INTEGER,
            total_calls INTEGER,
            completed_calls INTEGER,
            failed_calls INTEGER,
            UNIQUE (organization_id, execution_id)
        ) STRICT
    """)
    # Executions without a start come last in a list that begins with the newest.
    db.execute("""
        CREATE INDEX simulation_executions_by_start ON simulation_executions
            (run_test_key, ifnull(started_at, -4611686018427387904), execution_key)
    """)
    db.execute(f"""
        CREATE TABLE simulation_calls (
            call_key INTEGER PRIMARY KEY,
            organization_id INTEGER NOT NULL,
            call_execution_id BLOB NOT NULL CHECK (length(call_execution_id) = 16),
            execution_key INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            status TEXT NOT NULL,
            {", ".join(f"{name} REAL" for name in _NUMBERS)},
            customer_latency_metrics TEXT,
            customer_cost_breakdown TEXT,
            UNIQUE (organization_id, call_execution_id)
        ) STRICT
    """)
    db.execute("CREATE INDEX simulation_calls_by_execution ON simulation_calls (execution_key)")
    # Sums are millionths, so that they are exact; one that outgrows 64 bits is kept as text.
    db.execute(f"""
        CREATE TABLE simulation_totals (
            execution_key INTEGER PRIMARY KEY REFERENCES simulation_executions,
            next_slot INTEGER NOT NULL DEFAULT 0,
            {", ".join(f"{status}_calls INTEGER NOT NULL DEFAULT 0" for status in _STATUSES)},
            {", ".join(f"{name}_samples INTEGER NOT NULL DEFAULT 0" for name in _NUMBERS)},
            {", ".join(f"{name}_micros ANY NOT NULL DEFAULT 0" for name in _NUMBERS)},
            latency_revision INTEGER NOT NULL DEFAULT 0,
            kept_revision INTEGER,
            p50 REAL,
            p95 REAL,
            p99 REAL
        ) STRICT
    """)
    # The agent latencies of an execution as a column: float64, one a call at the call's slot, NaN
    # where a call reported none.
    db.execute("""
        CREATE TABLE simulation_latencies (
            execution_key INTEGER NOT NULL REFERENCES simulation_executions,
            page INTEGER NOT NULL,
            latencies BLOB NOT NULL,
            PRIMARY KEY (execution_key, page)
        ) STRICT, WITHOUT ROWID
    """)
    # Executions that are gone, whose calls still have to go.
    db.execute("""
        CREATE TABLE simulation_deletions (execution_key INTEGER PRIMARY KEY) STRICT
    """)
