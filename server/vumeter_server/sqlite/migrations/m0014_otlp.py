"""Custom metrics from OpenTelemetry: cumulative series, units, what was rejected, mappings."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the tables, and columns for what exporters tell of a metric."""
    db.execute("ALTER TABLE metrics ADD COLUMN unit TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE metrics ADD COLUMN description TEXT NOT NULL DEFAULT ''")
    # The last values of the series of one metric of one exporter.
    db.execute("""
        CREATE TABLE exported_series (
            organization_id INTEGER NOT NULL,
            stream BLOB NOT NULL,
            metric_name TEXT NOT NULL,
            states BLOB NOT NULL,
            updated_us INTEGER NOT NULL,
            PRIMARY KEY (organization_id, stream, metric_name)
        ) STRICT
    """)
    db.execute("CREATE INDEX exported_series_by_age ON exported_series (updated_us)")
    # How many points were rejected for a reason, and what was noted of others.
    db.execute("""
        CREATE TABLE export_counts (
            organization_id INTEGER NOT NULL,
            reason TEXT NOT NULL,
            key_id TEXT NOT NULL,
            metric_name TEXT NOT NULL,
            points INTEGER NOT NULL,
            last_us INTEGER NOT NULL,
            PRIMARY KEY (organization_id, reason, key_id, metric_name)
        ) STRICT, WITHOUT ROWID
    """)
    # The last rejections of each organization.
    db.execute("""
        CREATE TABLE rejected_points (
            rejection_number INTEGER PRIMARY KEY,
            organization_id INTEGER NOT NULL,
            rejected_us INTEGER NOT NULL,
            key_id TEXT NOT NULL,
            metric_name TEXT NOT NULL,
            reason TEXT NOT NULL,
            problem TEXT NOT NULL
        ) STRICT
    """)
    db.execute("CREATE INDEX rejected_points_by_organization ON rejected_points (organization_id)")
    # How an organization maps attributes, as JSON, where it differs from the default.
    db.execute("""
        CREATE TABLE attribute_mappings (
            organization_id INTEGER PRIMARY KEY,
            mapping TEXT NOT NULL
        ) STRICT
    """)
