"""Custom metrics: sums made once, when days are sealed."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the tables of sums; days sealed before are summed when the server starts next."""
    # Sums of a day of a metric by cell of 15 minutes.
    db.execute("""
        CREATE TABLE metric_cells (
            organization_id INTEGER NOT NULL,
            metric_code INTEGER NOT NULL,
            day INTEGER NOT NULL,
            part INTEGER NOT NULL,
            sums BLOB NOT NULL,
            PRIMARY KEY (organization_id, metric_code, day, part)
        ) STRICT, WITHOUT ROWID
    """)
    # Sums of a day by metric and value of one label; label code 0 is a point without the label,
    # the others are one more than in `labels`.
    db.execute("""
        CREATE TABLE label_sums (
            organization_id INTEGER NOT NULL,
            key TEXT NOT NULL,
            day INTEGER NOT NULL,
            part INTEGER NOT NULL,
            sums BLOB NOT NULL,
            PRIMARY KEY (organization_id, key, day, part)
        ) STRICT, WITHOUT ROWID
    """)
    # Sums of blocks of neighbouring days by series: of the parts of those days up to `through`.
    # A block of level n has n days and begins at a multiple of n.
    db.execute("""
        CREATE TABLE series_blocks (
            organization_id INTEGER NOT NULL,
            level INTEGER NOT NULL,
            block INTEGER NOT NULL,
            through INTEGER NOT NULL,
            PRIMARY KEY (organization_id, level, block)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE series_sums (
            organization_id INTEGER NOT NULL,
            metric_code INTEGER NOT NULL,
            level INTEGER NOT NULL,
            block INTEGER NOT NULL,
            sums BLOB NOT NULL,
            PRIMARY KEY (organization_id, metric_code, level, block)
        ) STRICT
    """)
    # How often a part was written together with its sums, 0 for one from before there were any.
    db.execute("ALTER TABLE metric_days ADD COLUMN summed INTEGER NOT NULL DEFAULT 0")
    # When the last of a part's points were sealed, in microseconds since the epoch; 0 for a part
    # from before it was kept.
    db.execute("ALTER TABLE metric_days ADD COLUMN sealed_us INTEGER NOT NULL DEFAULT 0")
    # A number that changes when days go.
    db.execute("ALTER TABLE metric_states ADD COLUMN layout INTEGER NOT NULL DEFAULT 0")
