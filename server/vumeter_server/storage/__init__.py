"""What every store shares: connections, the one writer, the readers and the migrations."""

from vumeter_server.storage.database import Database, DatabaseError, open_database
from vumeter_server.storage.readers import Readers, check_cancelled
from vumeter_server.storage.writer import Writer

__all__ = ["Database", "DatabaseError", "Readers", "Writer", "check_cancelled", "open_database"]
