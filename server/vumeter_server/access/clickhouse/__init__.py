"""Organizations and keys in ClickHouse."""
