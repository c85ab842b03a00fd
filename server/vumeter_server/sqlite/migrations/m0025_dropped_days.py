"""Days that retention drops in steps, and deletions that write several segments of a day."""

from sqlite_utils import Database


def migrate(db: Database) -> None:
    """Create the table of days that nobody sees any more, and of which rows are left.

    And how many numbers of segments a deletion has.
    """
    # What is left is of the segments up to `through`; later ones are of points that came since.
    db.execute("""
        CREATE TABLE dropped_days (
            organization_id INTEGER NOT NULL,
            day INTEGER NOT NULL,
            through INTEGER NOT NULL,
            PRIMARY KEY (organization_id, day)
        ) STRICT, WITHOUT ROWID
    """)
    # A deletion has its own number and the next ones; each is that of an empty batch.
    db.execute("ALTER TABLE point_deletions ADD COLUMN numbers INTEGER NOT NULL DEFAULT 1")
