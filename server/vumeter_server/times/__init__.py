"""Instants, calendar days, ranges and durations, as every family reads and prints them.

An instant is an integer: microseconds since 1970-01-01T00:00:00Z. Ranges are half-open.
"""
