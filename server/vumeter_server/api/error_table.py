"""The one table from errors to gRPC statuses, and how an error is written into an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from vumeter_server import errors

MetadataPairs = Sequence[tuple[str, str | bytes]]

STATUS_CODES: Mapping[type[errors.VumeterError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.BodyTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.UnsupportedEncoding: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.StorageDamaged: grpc.StatusCode.INTERNAL,
}

# What REST says more precisely than a gRPC status can. Envoy makes each header of an answer out of
# initial metadata, and turns this one into the HTTP status.
HTTP_STATUS = "x-http-status"
HTTP_STATUSES: Mapping[type[errors.VumeterError], int] = {
    errors.BodyTooLarge: 413,
    errors.UnsupportedEncoding: 415,
}
# Of a stream Envoy begins the answer with its headers, before it knows the gRPC status.
_OF_STREAMS: Mapping[type[errors.VumeterError], int] = {
    errors.LimitExceeded: 429,
    errors.Unavailable: 503,
}
RETRY_INFO = "google.rpc.retryinfo-bin"

# Statuses travel in HTTP/2 headers: a proxy drops an answer whose headers are over about 8 KiB, and
# base64 makes the details a third longer.
MAX_DETAILS_BYTES = 4_000


def status_code(error: Exception) -> grpc.StatusCode:
    """Return the status of `error`; whatever is not meant for callers is INTERNAL."""
    for error_type in type(error).__mro__:
        if error_type in STATUS_CODES:
            return STATUS_CODES[error_type]
    return grpc.StatusCode.INTERNAL


def status_of(error: Exception, field_names: Mapping[str, str]) -> status_pb2.Status:
    """Write `error` as a google.rpc.Status, its fields spelled as in `field_names`.

    An error that is not meant for callers says nothing of its cause.
    """
    code: int = status_code(error).value[0]
    # VumeterError itself has no line in the table.
    if not isinstance(error, errors.VumeterError) or type(error) is errors.VumeterError:
        return status_pb2.Status(code=code, message="Internal server error")
    error = error.respelled(field_names)
    status = status_pb2.Status(code=code, message=error.message)
    if error.violations:
        _add_detail(status, _bad_request(error.violations))
    if isinstance(error, errors.RetryableError):
        _add_detail(status, _retry_info(error))
    return status


def initial_metadata(error: Exception, *, is_stream: bool = False) -> MetadataPairs:
    """Return the headers of the answer, or the stream, in whose place `error` is."""
    headers: list[tuple[str, str]] = []
    statuses = {**HTTP_STATUSES, **_OF_STREAMS} if is_stream else HTTP_STATUSES
    for error_type, http_status in statuses.items():
        if isinstance(error, error_type):
            headers.append((HTTP_STATUS, str(http_status)))
    if isinstance(error, errors.UnsupportedEncoding):
        headers.append(("accept-encoding", "gzip"))
    if isinstance(error, errors.RetryableError):
        headers.append(("retry-after", str(error.retry_after_seconds)))
    return headers


def trailing_metadata(error: Exception) -> MetadataPairs:
    """Return the trailers that come beside the status itself."""
    if isinstance(error, errors.RetryableError):
        # OpenTelemetry's exporter for Python looks for RetryInfo here alone.
        return ((RETRY_INFO, _retry_info(error).SerializeToString()),)
    return ()


def _retry_info(error: errors.RetryableError) -> error_details_pb2.RetryInfo:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = error.retry_after_seconds
    return retry


def _bad_request(violations: Iterable[errors.Violation]) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for violation in violations:
        bad_request.field_violations.add(field=violation.field, description=violation.sentence)
        if bad_request.ByteSize() > MAX_DETAILS_BYTES:
            del bad_request.field_violations[-1]
            break
    return bad_request


def _add_detail(
    status: status_pb2.Status, detail: error_details_pb2.BadRequest | error_details_pb2.RetryInfo
) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)
