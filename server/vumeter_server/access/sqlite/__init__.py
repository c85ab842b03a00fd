"""Organizations and keys in SQLite."""
