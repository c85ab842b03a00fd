"""Flush, compaction, retention, verification, and their schedule."""
