"""Which demo data was put into the database, so that it is put there once."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create `demo_data`."""
    db.execute("""
        CREATE TABLE demo_data (
            family TEXT PRIMARY KEY,
            begun_us INTEGER NOT NULL,
            finished_us INTEGER
        ) STRICT, WITHOUT ROWID
    """)
