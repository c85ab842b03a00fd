"""What goes wrong between a caller and the server. Recording never raises one of these."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_POINT = re.compile(r"points\[(\d+)\]")


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request that the server rejected."""

    field: str
    """As the request spells it: `metrics[1].percentile`."""
    description: str

    @property
    def point(self) -> int | None:
        """The index of the point that it is about, if it is about one."""
        found = _POINT.match(self.field)
        return int(found[1]) if found else None


class VumeterError(Exception):
    """A call that gave no answer to use."""


class ConnectionFailed(VumeterError):
    """No answer came: no connection, a connection that broke, or a timeout."""


class UnexpectedAnswer(VumeterError):
    """The answer is not one of vumeter: something else listens at that URL."""


class ApiError(VumeterError):
    """The server answered with an error.

    Attributes:
        status: The HTTP status.
        code: The gRPC code, as in `google.rpc.Code`.
        message: What the server says, such as `metrics must have 1 to 20 entries`.
        violations: Every field at fault, at most ten.
        request_id: Names the request in the server's log.
        retry_after: Seconds to wait before another try, if the server says so.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        violations: tuple[FieldViolation, ...] = (),
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Make the error of an answer; see the attributes."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.violations = violations
        self.request_id = request_id
        self.retry_after = retry_after


class InvalidArgument(ApiError):
    """The request is wrong, and never succeeds as it is: see `violations`."""


class Unauthenticated(ApiError):
    """There is no such key, or it was revoked or has expired."""


class PermissionDenied(ApiError):
    """The role of the key does not allow this."""


class TooManyRequests(ApiError):
    """The server takes no more for the moment: see `retry_after`."""


class Unavailable(ApiError):
    """The server is not there, or cannot store anything for the moment: see `retry_after`."""


class DeadlineExceeded(ApiError):
    """The query took too long. A narrower range is quicker."""


_KINDS: Mapping[int, type[ApiError]] = {
    400: InvalidArgument,
    401: Unauthenticated,
    403: PermissionDenied,
    429: TooManyRequests,
    503: Unavailable,
    504: DeadlineExceeded,
}


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> VumeterError:
    """Return the error that an answer is; `headers` have names in lower case."""
    try:
        told = json.loads(body)
        code, message = int(told["code"]), str(told["message"])
        violations = tuple(_violations(told.get("details", [])))
    except (ValueError, TypeError, KeyError, AttributeError):
        return UnexpectedAnswer(f"HTTP status {status}, without an error of vumeter")
    kind = _KINDS.get(status, ApiError)
    request_id = headers.get("x-request-id", "")
    return kind(status, code, message, violations, request_id, retry_after_of(headers))


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`, None if it holds neither a number nor a date.

    A date is taken as seconds after the `Date` of the answer, so that the clock here does not
    matter; without one as seconds from now.
    """
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    until = _moment_of(told)
    if until is None:
        return None
    now = _moment_of(headers.get("date", "")) or datetime.now(timezone.utc)
    return max(0.0, (until - now).total_seconds())


def _moment_of(text: str) -> datetime | None:
    """Return the instant of an HTTP date, None if it is none."""
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    # Dates of HTTP are in UTC, which `-0000` and a date without a zone leave open.
    return read if read.tzinfo is not None else read.replace(tzinfo=timezone.utc)


def _violations(details: list[dict[str, Any]]) -> list[FieldViolation]:
    return [
        FieldViolation(str(each.get("field", "")), str(each.get("description", "")))
        for detail in details
        if detail.get("@type") == _BAD_REQUEST
        for each in detail.get("fieldViolations", [])
    ]
