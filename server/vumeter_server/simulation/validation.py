"""Every rule of what is recorded, whatever form it came in.

Both APIs build their reports through `checked_execution` and `CallChecker`, so that a rule and its
message are written once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from vumeter_server.errors import MAX_VIOLATIONS, InvalidArgument, Violation
from vumeter_server.simulation.decimals import round_reported
from vumeter_server.simulation.model import (
    CALL_STATUSES,
    EXECUTION_STATUSES,
    NUMBER_PATHS,
    OBJECT_PATHS,
    CallReport,
    ExecutionReport,
)

MAX_CALLS = 10_000
MAX_NAME = 256
MAX_COUNT = 2**53 - 1
MAX_OBJECT_BYTES = 16 * 1024
MAX_OBJECT_DEPTH = 8
DEFAULT_CALL_STATUS = "completed"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
UUID_PROBLEM = "must be a UUID such as 5819e158-0000-4000-8000-000000000001"


def checked_uuid(text: str, field: str) -> str:
    """Return a UUID (8-4-4-4-12, any case) in lower case.

    Raises:
        InvalidArgument: `text` is none; the message names `field`.
    """
    if not _UUID.fullmatch(text):
        raise InvalidArgument.of(field, UUID_PROBLEM if text else "must be given")
    return text.lower()


def checked_run_test_name(text: str, field: str = "run_test_name") -> str:
    """Return a name of 1 to 256 characters.

    Raises:
        InvalidArgument: `text` is empty or too long; the message names `field`.
    """
    if not text:
        raise InvalidArgument.of(field, "must be given")
    if len(text) > MAX_NAME:
        raise InvalidArgument.of(field, f"must have at most {MAX_NAME} characters")
    return text


def checked_count(value: float | None, field: str) -> int | None:
    """Return a whole number from 0 to 2^53 - 1, or None for None.

    Raises:
        InvalidArgument: `value` is another number; the message names `field`.
    """
    if value is None:
        return None
    if not (math.isfinite(value) and 0 <= value <= MAX_COUNT and value == int(value)):
        raise InvalidArgument.of(field, f"must be a whole number from 0 to {MAX_COUNT}")
    return int(value)


def checked_status(text: str | None, allowed: Sequence[str], field: str) -> str:
    """Return a status that is one of `allowed`, the first of them for None.

    Raises:
        InvalidArgument: it is none of them; the message names `field`.
    """
    if text is None:
        return allowed[0]
    if text not in allowed:
        raise InvalidArgument.of(field, f"must be one of {', '.join(allowed)}")
    return text


def checked_execution(
    *,
    execution_id: str,
    run_test_name: str,
    status: str | None,
    started_at: int | None,
    completed_at: int | None,
    counts: Sequence[float | None],
    prefix: str = "",
) -> ExecutionReport:
    """Return the report of an execution; `counts` are of all, completed and failed calls.

    Raises:
        InvalidArgument: it breaks a rule; the message names the field, after `prefix`.
    """
    total, completed, failed = (
        checked_count(count, prefix + name)
        for name, count in zip(
            ("total_calls", "completed_calls", "failed_calls"), counts, strict=True
        )
    )
    return ExecutionReport(
        execution_id=checked_uuid(execution_id, prefix + "execution_id"),
        run_test_name=checked_run_test_name(run_test_name, prefix + "run_test_name"),
        status=checked_status(status, EXECUTION_STATUSES, prefix + "status"),
        started_at=started_at,
        completed_at=completed_at,
        total_calls=total,
        completed_calls=completed,
        failed_calls=failed,
    )


class CallChecker:
    """Builds the call reports of one request, and collects what is wrong with them.

    `add` one call after the other, then take `reports()`.
    """

    def __init__(self) -> None:
        self._reports: list[CallReport] = []
        self._violations: list[Violation] = []
        self._index = -1

    def add(
        self,
        *,
        call_execution_id: str,
        execution_id: str,
        status: str | None,
        numbers: Sequence[float | None],
        objects: Sequence[Mapping[str, Any] | None] = (None, None),
    ) -> None:
        """Check one call. `numbers` are in the order of NUMBER_NAMES, `objects` of OBJECT_PATHS."""
        self._index += 1
        if len(self._violations) >= MAX_VIOLATIONS:
            return
        for name, text in (
            ("call_execution_id", call_execution_id),
            ("execution_id", execution_id),
        ):
            if not _UUID.fullmatch(text):
                self._reject(name, UUID_PROBLEM if text else "must be given")
        status = DEFAULT_CALL_STATUS if status is None else status
        if status not in CALL_STATUSES:
            self._reject("status", f"must be one of {', '.join(CALL_STATUSES)}")
        self._reports.append(
            CallReport(
                call_execution_id=call_execution_id.lower(),
                execution_id=execution_id.lower(),
                status=status,
                numbers=self._numbers(numbers),
                customer_latency_metrics=self._object(objects[0], OBJECT_PATHS[0]),
                customer_cost_breakdown=self._object(objects[1], OBJECT_PATHS[1]),
            )
        )

    def reports(self) -> list[CallReport]:
        """Return the calls added.

        Raises:
            InvalidArgument: one of them breaks a rule.
        """
        if self._violations:
            raise InvalidArgument(violations=self._violations)
        return self._reports

    def _reject(self, path: str, problem: str) -> None:
        self._violations.append(Violation(field=f"calls[{self._index}].{path}", problem=problem))

    def _numbers(self, numbers: Sequence[float | None]) -> tuple[float | None, ...]:
        rounded: list[float | None] = []
        for place, value in enumerate(numbers):
            if value is None:
                rounded.append(None)
            elif 0 <= value < math.inf:
                rounded.append(round_reported(value))
            else:
                problem = "must not be negative" if -math.inf < value < 0 else "must be finite"
                self._reject(NUMBER_PATHS[place], problem)
        return tuple(rounded)

    def _object(self, reported: Mapping[str, Any] | None, path: str) -> str | None:
        if not reported:
            return None
        if problem := _object_problem(reported, MAX_OBJECT_DEPTH):
            self._reject(path, problem)
            return None
        try:
            text = orjson.dumps(reported)
        except TypeError:  # an integer of more than 64 bits
            self._reject(path, "must hold numbers that fit into 64 bits")
            return None
        if len(text) > MAX_OBJECT_BYTES:
            self._reject(path, f"must be at most {MAX_OBJECT_BYTES} bytes as compact JSON")
            return None
        return text.decode()


def check_batch_size(size: int) -> None:
    """Reject a batch of too many calls; an empty one records 0.

    Raises:
        InvalidArgument: `size` is above 10,000.
    """
    if size > MAX_CALLS:
        raise InvalidArgument.of("calls", f"must hold at most {MAX_CALLS} calls")


def _object_problem(value: object, depth_left: int) -> str | None:
    """Return what is wrong with a free-form value, or None."""
    if isinstance(value, float) and not math.isfinite(value):
        return "must hold finite numbers"
    if not isinstance(value, dict | list):
        return None
    if depth_left == 0:
        return f"must be at most {MAX_OBJECT_DEPTH} levels deep"
    inner = value.values() if isinstance(value, dict) else value
    return next(filter(None, (_object_problem(each, depth_left - 1) for each in inner)), None)
