"""The table from errors to statuses: complete, small enough to travel, and silent on the rest."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from vumeter_server import errors
from vumeter_server.api.error_table import (
    HTTP_STATUSES,
    RETRY_INFO,
    STATUS_CODES,
    initial_metadata,
    status_code,
    status_of,
    trailing_metadata,
)
from vumeter_server.sqlite.library import sqlite3

# Never raised itself: what the others derive from.
BASES = {errors.RetryableError}
HTTP = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
}


def subclasses(of: type[errors.VumeterError]) -> Iterator[type[errors.VumeterError]]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


KNOWN = sorted(
    {each for each in subclasses(errors.VumeterError) if each.__module__ == errors.__name__}
    - BASES,
    key=lambda e: e.__name__,
)


@pytest.mark.parametrize("error_type", KNOWN)
def test_every_error_has_a_row_of_its_own(error_type: type[errors.VumeterError]) -> None:
    assert error_type in STATUS_CODES
    assert STATUS_CODES[error_type].name in HTTP


def test_no_two_errors_share_a_status() -> None:
    statuses = {
        HTTP_STATUSES.get(error_type, HTTP[code.name]) for error_type, code in STATUS_CODES.items()
    }
    assert len(statuses) == len(STATUS_CODES)


@pytest.mark.parametrize("error_type", KNOWN)
def test_an_error_without_a_text_says_its_own(error_type: type[errors.VumeterError]) -> None:
    status = status_of(error_type(), {})
    assert status.message == error_type.default_message
    assert status.code == STATUS_CODES[error_type].value[0]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("key vmk_secret"),
        sqlite3.OperationalError("no such table: api_keys"),
        errors.VumeterError("for nobody"),
        KeyError("points"),
    ],
)
def test_nothing_is_told_of_what_is_not_meant_for_callers(error: Exception) -> None:
    assert status_code(error) is grpc.StatusCode.INTERNAL
    assert status_of(error, {}) == status_pb2.Status(code=13, message="Internal server error")


def test_violations_are_spelled_as_the_api_spells_them() -> None:
    error = errors.InvalidArgument(
        violations=[
            errors.Violation(field="points[3].agent_id", problem="must be text"),
            errors.Violation(field="agent_id", problem="is not a known field", as_sent=True),
        ]
    )
    status = status_of(error, {"agent_id": "agentId"})
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert [each.field for each in detail.field_violations] == ["points[3].agentId", "agent_id"]
    assert status.message == "points[3].agentId must be text"


def test_a_retryable_error_says_when_to_come_back() -> None:
    status = status_of(errors.LimitExceeded(retry_after_seconds=7), {})
    detail = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(detail)
    assert detail.retry_delay.seconds == 7


@pytest.mark.parametrize("error_type", [errors.LimitExceeded, errors.Unavailable])
def test_a_retryable_error_says_it_in_a_header_and_in_a_trailer_too(
    error_type: type[errors.RetryableError],
) -> None:
    error = error_type(retry_after_seconds=7)
    assert dict(initial_metadata(error)) == {"retry-after": "7"}
    trailers = dict(trailing_metadata(error))
    assert trailers.keys() == {RETRY_INFO}
    detail = error_details_pb2.RetryInfo.FromString(trailers[RETRY_INFO])
    assert detail.retry_delay.seconds == 7


@pytest.mark.parametrize(
    ("error_type", "status"), [(errors.LimitExceeded, "429"), (errors.Unavailable, "503")]
)
def test_a_retryable_error_in_place_of_a_stream_says_its_http_status_too(
    error_type: type[errors.RetryableError], status: str
) -> None:
    headers = dict(initial_metadata(error_type(retry_after_seconds=7), is_stream=True))
    assert headers == {"retry-after": "7", "x-http-status": status}


@pytest.mark.parametrize("error_type", KNOWN)
def test_what_cannot_be_retried_says_nothing_of_it(error_type: type[errors.VumeterError]) -> None:
    if not issubclass(error_type, errors.RetryableError):
        assert "retry-after" not in dict(initial_metadata(error_type()))
        assert trailing_metadata(error_type()) == ()


@pytest.mark.parametrize("text", ["x" * 200, "界" * 200, "\x00" * 200])
def test_a_status_fits_into_the_headers_that_it_travels_in(text: str) -> None:
    violations = [errors.Violation(field=text, problem=text) for _ in range(10)]
    status = status_of(errors.InvalidArgument(violations=violations), {})
    assert len(status.SerializeToString()) * 4 / 3 + len(status.message) * 9 < 8_192
    assert status.details


def test_an_error_of_a_room_of_its_own_is_answered_as_the_one_that_it_is() -> None:
    class OfAStore(errors.Unavailable):
        """What a store tells apart for itself."""

    assert status_code(OfAStore()) is grpc.StatusCode.UNAVAILABLE
    assert status_of(OfAStore(), {}).message == errors.Unavailable().message
