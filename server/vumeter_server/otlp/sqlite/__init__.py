"""The store of what exporters send, on SQLite."""

from vumeter_server.otlp.sqlite.store import SqliteExportStore

__all__ = ["SqliteExportStore"]
