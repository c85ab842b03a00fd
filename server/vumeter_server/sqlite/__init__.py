"""What every store shares: connections, the one writer, the readers and the migrations."""

from vumeter_server.sqlite.database import Database, DatabaseError, open_database
from vumeter_server.sqlite.library import SQLITE_VERSION
from vumeter_server.sqlite.readers import Readers, check_cancelled
from vumeter_server.sqlite.writer import Writer

__all__ = [
    "SQLITE_VERSION",
    "Database",
    "DatabaseError",
    "Readers",
    "Writer",
    "check_cancelled",
    "open_database",
]
