"""The schema on ClickHouse: a module for each version."""
