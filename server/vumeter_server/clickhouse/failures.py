"""What ClickHouse's errors mean to callers: a table from codes to the errors of the project."""

from __future__ import annotations

from typing import Final

import structlog

from vumeter_server.errors import DeadlineExceeded, StorageDamaged, Unavailable

UNREACHABLE: Final = "Storage cannot be reached or is busy"

_log = structlog.get_logger(__name__)

_UNAVAILABLE: Final = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE: a node ended meanwhile
        16,  # NO_SUCH_COLUMN_IN_TABLE: the schema of a node that is inserted into is older
        32,  # ATTEMPT_TO_READ_AFTER_EOF: a node ended meanwhile
        47,  # UNKNOWN_IDENTIFIER: the schema of a node is older
        60,  # UNKNOWN_TABLE: the same
        81,  # UNKNOWN_DATABASE: the same
        101,  # UNEXPECTED_PACKET_FROM_CLIENT
        102,  # UNEXPECTED_PACKET_FROM_SERVER
        198,  # DNS_ERROR
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT: a shard is hung
        210,  # NETWORK_ERROR: a shard is down
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED: a shard is down or hung
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        289,  # REPLICA_IS_NOT_IN_QUORUM
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        497,  # ACCESS_DENIED
        774,  # TABLE_IS_PERMANENTLY_READ_ONLY
        999,  # KEEPER_EXCEPTION
    }
)
_DAMAGE: Final = frozenset(
    {
        40,  # CHECKSUM_DOESNT_MATCH
        226,  # NO_FILE_IN_DATA_PART
        227,  # UNEXPECTED_FILE_IN_DATA_PART
        228,  # BAD_SIZE_OF_FILE_IN_DATA_PART
        246,  # CORRUPTED_DATA
        271,  # CANNOT_DECOMPRESS
    }
)
_TOO_SLOW: Final = frozenset({159, 160})
"""TIMEOUT_EXCEEDED and TOO_SLOW."""
_SIGN_IN_REFUSED: Final = frozenset({193, 194, 516})
"""WRONG_PASSWORD, REQUIRED_PASSWORD and AUTHENTICATION_FAILED."""


class SignInRefused(Unavailable):
    """The user is unknown or his password is wrong."""


class ClickHouseError(Exception):
    """An error that the caller of a statement knows, by its code, or else a defect of it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"code {code}: {text}")
        self.code = code


def public_error(code: int, text: str) -> Exception:
    """Return what is raised for an error of ClickHouse, after it is logged."""
    if code in _TOO_SLOW:
        return DeadlineExceeded()
    if code in _DAMAGE:
        _log.error("storage_damaged", code=code, problem=text)
        return StorageDamaged(detail=text)
    if code in _SIGN_IN_REFUSED:
        _log.warning("storage_sign_in_refused", code=code)
        return SignInRefused(UNREACHABLE)
    if code in _UNAVAILABLE:
        _log.warning("storage_unavailable", code=code, problem=text)
        return Unavailable(UNREACHABLE)
    return ClickHouseError(code, text)
