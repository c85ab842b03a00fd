"""Live metrics: events, the calls they fold into, totals by launch, and history."""

from sqlite_utils import Database

COUNTERS = """
            accepted_calls INTEGER NOT NULL,
            rejected_calls_capacity INTEGER NOT NULL,
            rejected_calls_tenant_not_configured INTEGER NOT NULL,
            rejected_calls_instructions_missing INTEGER NOT NULL,
            instructions_db_errors INTEGER NOT NULL,
            fallback_instructions_used INTEGER NOT NULL,
            started_calls INTEGER NOT NULL,
            ended_calls INTEGER NOT NULL,
            failed_calls INTEGER NOT NULL,
            referred_calls INTEGER NOT NULL,
            minutes_ms INTEGER NOT NULL,"""


def migrate(db: Database) -> None:
    """Create the tables whose names begin with `live_`."""
    db.execute("""
        CREATE TABLE live_launches (
            launch_no INTEGER PRIMARY KEY,
            launch_id TEXT NOT NULL UNIQUE
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE live_tenants (
            tenant_no INTEGER PRIMARY KEY,
            tenant_id TEXT NOT NULL UNIQUE,
            last_occurred_us INTEGER,
            last_received_us INTEGER,
            max_concurrent_calls INTEGER
        ) STRICT
    """)
    db.execute(f"""
        CREATE TABLE live_totals (
            launch_no INTEGER NOT NULL REFERENCES live_launches,
            tenant_no INTEGER NOT NULL REFERENCES live_tenants,
            {COUNTERS}
            PRIMARY KEY (launch_no, tenant_no)
        ) STRICT, WITHOUT ROWID
    """)
    # Numbered as received, so that the oldest are dropped from one end. Events that the server made
    # itself have no id.
    db.execute("""
        CREATE TABLE live_events (
            event_no INTEGER PRIMARY KEY,
            event_id TEXT UNIQUE,
            type INTEGER NOT NULL,
            call_no INTEGER,
            tenant_no INTEGER NOT NULL,
            occurred_us INTEGER NOT NULL,
            received_us INTEGER NOT NULL,
            reason INTEGER,
            outcome INTEGER,
            minutes REAL
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE live_calls (
            call_no INTEGER PRIMARY KEY,
            call_id TEXT NOT NULL UNIQUE,
            tenant_no INTEGER NOT NULL,
            tenant_us INTEGER NOT NULL,
            tenant_event TEXT NOT NULL,
            pending_us INTEGER,
            accepted_us INTEGER,
            rejected_us INTEGER,
            rejected_event TEXT,
            reason INTEGER,
            started_us INTEGER,
            referred_us INTEGER,
            reported_us INTEGER,
            reported_ms INTEGER,
            ended_us INTEGER,
            ended_event TEXT,
            outcome INTEGER,
            closed_us INTEGER,
            lapsed INTEGER NOT NULL,
            launch INTEGER NOT NULL,
            first INTEGER NOT NULL,
            minutes_before_ms INTEGER NOT NULL,
            first_received_us INTEGER NOT NULL,
            last_received_us INTEGER NOT NULL,
            state INTEGER NOT NULL
        ) STRICT
    """)
    # The calls that a start reads back into memory: few, however many there were.
    db.execute("CREATE INDEX live_calls_listed ON live_calls (call_no) WHERE state > 0")
    db.execute("""
        CREATE TABLE live_reports (
            call_no INTEGER NOT NULL,
            us INTEGER NOT NULL,
            minutes_ms INTEGER NOT NULL,
            PRIMARY KEY (call_no, us)
        ) STRICT, WITHOUT ROWID
    """)
    # An event without a call marks under minus its event_no.
    db.execute("""
        CREATE TABLE live_marks (
            us INTEGER NOT NULL,
            call_no INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            tenant_no INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            PRIMARY KEY (us, call_no, kind)
        ) STRICT, WITHOUT ROWID
    """)
    # Sums of marks over one minute or 60, by tenant; tenant 0 is all of them together. `peak` is
    # null until it is worked out from the marks; `changes` tells whether it still fits.
    db.execute(f"""
        CREATE TABLE live_cells (
            tenant_no INTEGER NOT NULL,
            width INTEGER NOT NULL,
            start INTEGER NOT NULL,
            {COUNTERS}
            net INTEGER NOT NULL,
            peak INTEGER,
            changes INTEGER NOT NULL,
            PRIMARY KEY (tenant_no, width, start)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE INDEX live_cells_without_peak ON live_cells (width, start, tenant_no)
        WHERE peak IS NULL
    """)
