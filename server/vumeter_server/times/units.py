"""Units of time in microseconds."""

from __future__ import annotations

from typing import Final

MILLISECOND_US: Final = 1_000
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
WEEK_US: Final = 7 * DAY_US

EPOCH_ORDINAL: Final = 719_163
"""The ordinal of 1970-01-01, as `datetime.date.toordinal` counts."""
