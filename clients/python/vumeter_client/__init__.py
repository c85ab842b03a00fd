"""Record metrics of voice agents with vumeter, and query them.

`Recorder` records from a running agent: it never waits and never raises. `Client` queries.
"""

from vumeter_client.buffer import Stats
from vumeter_client.client import Client
from vumeter_client.errors import (
    ApiError,
    ConnectionFailed,
    DeadlineExceeded,
    FieldViolation,
    InvalidArgument,
    PermissionDenied,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    VumeterError,
)
from vumeter_client.query import Filter, Metric, QueryResult, Row
from vumeter_client.recorder import Recorder
from vumeter_client.recording import Recording

__all__ = [
    "ApiError",
    "Client",
    "ConnectionFailed",
    "DeadlineExceeded",
    "FieldViolation",
    "Filter",
    "InvalidArgument",
    "Metric",
    "PermissionDenied",
    "QueryResult",
    "Recorder",
    "Recording",
    "Row",
    "Stats",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "VumeterError",
]
