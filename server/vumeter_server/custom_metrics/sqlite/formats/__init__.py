"""The binary formats of the tables, each with a version."""
