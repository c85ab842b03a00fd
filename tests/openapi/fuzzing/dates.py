"""Dates as the API reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def instant(text: str) -> datetime:
    """Return the instant of a date or date-time; in UTC where it has no offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
