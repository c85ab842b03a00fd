"""What is asked of every engine: one query with its parameters, as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from urllib.parse import quote, urlencode

from bench.dataset import DAY_US, HOUR_US


class Kind(Enum):
    """The endpoints, and what Q10 to Q13 ask of `query`."""

    NAMES = "names"
    AGGREGATE = "aggregate"
    DAILY = "daily"
    TIMESERIES = "timeseries"
    TAGS = "tags"
    SESSION = "session"
    PERCENTILES = "percentiles"
    FUNCTIONS = "functions"
    CONVERSION = "conversion"
    SESSIONS = "sessions"


# Zones without clock changes, so that engines may compute with an offset.
ZONE_OFFSETS_US = {"UTC": 0, "Asia/Singapore": 8 * HOUR_US, "Asia/Kolkata": 11 * HOUR_US // 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A query of one kind; a kind reads only the parameters it has."""

    kind: Kind
    start_us: int = 0
    end_us: int = 0
    zone: str = "UTC"
    metric_names: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    group_by: tuple[str, ...] = ()
    metric_name: str = ""
    step_us: int = HOUR_US
    agent_id: str = ""
    session_id: str = ""

    @property
    def offset_us(self) -> int:
        """What the zone's clocks are ahead of UTC."""
        return ZONE_OFFSETS_US[self.zone]

    def path(self) -> str:
        """Return the documented path with its query, from `/names` on."""
        if self.kind is Kind.SESSION:
            return f"/sessions/{quote(self.session_id, safe='')}"
        query: dict[str, str] = {}
        if self.kind in (Kind.AGGREGATE, Kind.DAILY, Kind.TIMESERIES):
            query |= {
                "startDate": self._date(self.start_us),
                "endDate": self._date(self.end_us),
            }
        if self.zone != "UTC":
            query["timezone"] = self.zone
        if self.metric_names:
            query["metricNames"] = ",".join(self.metric_names)
        if self.metric_name:
            query["metricName"] = self.metric_name
        if self.agent_id:
            query["agentId"] = self.agent_id
        if self.filters:
            query["tags"] = json.dumps(dict(self.filters), separators=(",", ":"))
        if self.group_by:
            query["groupBy"] = ",".join(self.group_by)
        if self.kind is Kind.TIMESERIES:
            query["step"] = f"{self.step_us // 1_000_000}s"
        return f"/{self.kind.value}" + (f"?{urlencode(query)}" if query else "")

    def _date(self, instant_us: int) -> str:
        """Write an instant as callers do: a date where it is one in the zone, else in UTC."""
        local_us = instant_us + self.offset_us
        if local_us % DAY_US == 0:
            return datetime.fromtimestamp(local_us // 1_000_000, UTC).date().isoformat()
        seconds, microseconds = divmod(instant_us, 1_000_000)
        instant = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
        return instant.isoformat().replace("+00:00", "Z")
