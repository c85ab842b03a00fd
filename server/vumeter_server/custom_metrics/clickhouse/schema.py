"""The tables of custom metrics.

`metric_points` has a row for each point, and the log of each organization (`clickhouse.entry_log`):
rows whose metric is "" and whose time is their `seq`. What an entry records and what it says of the
catalog are one block, so they are stored together or not at all.
"""

from __future__ import annotations

from typing import Final

POINTS: Final = "metric_points"
REJECTIONS: Final = "metric_rejections"
ENTRY_WHERE: Final = "metric = '' AND time_us = {seq:Int64}"
"""The rows of the log of one entry."""
