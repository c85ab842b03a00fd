"""The outcome of each call is counted, and the events of a source are in its own sequence."""

from sqlite_utils import Database

OUTCOMES = (
    "hung_up_calls",
    "no_answer_calls",
    "busy_calls",
    "canceled_calls",
    "voicemail_calls",
    "timed_out_calls",
)
# What ended at that time was completed or hung up; from now on hung up has a kind of its own.
ENDED, HUNG_UP = 7, 11
OUTCOME_HUNG_UP = 2
FIRST_ENDED = 8
MINUTE_US = 60_000_000


def migrate(db: Database) -> None:
    """Add the columns, and count the calls of the past in which somebody hung up."""
    db.execute("ALTER TABLE live_events ADD COLUMN sequence INTEGER")
    for name in ("tenant_sequence", "rejected_sequence", "ended_sequence"):
        db.execute(f"ALTER TABLE live_calls ADD COLUMN {name} INTEGER")
    for table in ("live_totals", "live_cells"):
        for name in OUTCOMES:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    db.execute(f"""
        UPDATE live_marks SET kind = {HUNG_UP}
        FROM (SELECT call_no AS number, ended_us FROM live_calls
              WHERE outcome = {OUTCOME_HUNG_UP} AND ended_us IS NOT NULL)
        WHERE us = ended_us AND call_no = number AND kind = {ENDED}
    """)  # noqa: S608
    for width in (1, 60):
        for owner in ("tenant_no", "0"):
            db.execute(f"""
                UPDATE live_cells SET hung_up_calls = counted
                FROM (SELECT {owner} AS owner, us / {MINUTE_US} / {width} * {width} AS begin,
                             count(*) AS counted
                      FROM live_marks WHERE kind = {HUNG_UP} GROUP BY 1, 2)
                WHERE tenant_no = owner AND width = {width} AND start = begin
            """)  # noqa: S608
    db.execute(f"""
        UPDATE live_totals SET hung_up_calls = counted
        FROM (SELECT launch, tenant_no AS owner, count(*) AS counted FROM live_calls
              WHERE outcome = {OUTCOME_HUNG_UP} AND first & {FIRST_ENDED} GROUP BY 1, 2)
        WHERE launch_no = launch AND tenant_no = owner
    """)  # noqa: S608
