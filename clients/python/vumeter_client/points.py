"""Points as they are sent: JSON, made at the moment of recording."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram"]
TagValue = str | int | float | bool | None
Timestamp = datetime | float | None

MAX_POINT_BYTES = 65_536
"""No point that the server takes is larger."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class BadPoint(ValueError):
    """A point that cannot be sent."""


def encode(
    name: str,
    value: float | None,
    type: MetricType | None,  # noqa: A002 - what the API calls it
    timestamp: Timestamp,
    labels: Mapping[str, str | None],
    tags: Mapping[str, TagValue],
) -> bytes:
    """Return a point as JSON. `labels` are `agentId`, `environmentId` and `sessionId`.

    Only what JSON cannot hold is looked at here; the server checks the rest.

    Raises:
        BadPoint: The point cannot be sent; the message names the field.
    """
    point: dict[str, object] = {"name": name, "timestamp": _rfc3339(timestamp)}
    if type is not None:
        point["type"] = type
    if value is not None:
        point["value"] = _number(value)
    point |= {field: text for field, text in labels.items() if text}
    texts = {key: _text(each) for key, each in tags.items() if each is not None}
    if texts:
        point["tags"] = texts
    try:
        encoded = _dumps(point).encode()
    except (TypeError, ValueError) as error:
        raise BadPoint("the point cannot be written as JSON") from error
    if len(encoded) > MAX_POINT_BYTES:
        raise BadPoint(f"the point has more than {MAX_POINT_BYTES:,} bytes")
    return encoded


def _rfc3339(timestamp: Timestamp) -> str:
    if timestamp is None:
        moment = _EPOCH + timedelta(microseconds=time.time_ns() // 1_000)
    elif isinstance(timestamp, datetime):
        if timestamp.tzinfo is None:
            raise BadPoint("timestamp must have a time zone")
        moment = timestamp.astimezone(timezone.utc)
    else:
        try:
            moment = _EPOCH + timedelta(seconds=timestamp)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadPoint("timestamp must be a datetime or seconds since the epoch") from error
    return moment.isoformat(timespec="microseconds")


def _number(value: float) -> int | float:
    if isinstance(value, (bool, str, bytes)):
        raise BadPoint("value must be a number")
    if isinstance(value, int):
        return value
    try:
        # Numbers of numpy and the decimal module, too.
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadPoint("value must be a number") from error
    if not math.isfinite(number):
        raise BadPoint("value must be finite")
    return number


def _text(value: TagValue) -> str:
    """Return a tag's value in the spelling that filters of queries use."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
