"""Sums that are computed once, when points are flushed or compacted."""
