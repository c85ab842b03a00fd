"""What can go wrong, in the words that callers are shown.

Nothing here knows gRPC or HTTP: one table elsewhere gives each class its status. A message is
public: it never holds a path, SQL, a stack trace or a secret.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

MAX_VIOLATIONS = 10
MAX_TEXT = 200

# Behind these fields a path goes on with a key that the caller chose, which has only one spelling.
_MAP_FIELDS = frozenset({"tags"})
_SEGMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[\d+\])*)\.?")


def _clip(text: str) -> str:
    """Return `text` in at most 200 characters that any encoder accepts."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text.encode(errors="replace").decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One thing wrong with a request: `points[3].value` and `must be a finite number`.

    `as_sent` says that the field is already spelled as the caller sent it.
    """

    field: str
    problem: str
    as_sent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "field", _clip(self.field))
        object.__setattr__(self, "problem", _clip(self.problem))

    @property
    def sentence(self) -> str:
        """Field and problem as one sentence, in at most 200 characters."""
        return _clip(f"{self.field} {self.problem}" if self.field else self.problem)

    def respelled(self, names: Mapping[str, str]) -> Self:
        """Return this violation with its field spelled as in `names`."""
        return self if self.as_sent else replace(self, field=respell(self.field, names))


def respell(path: str, names: Mapping[str, str]) -> str:
    """Replace each identifier of a field path by its spelling in `names`; keys of maps stay.

    >>> respell('points[3].agent_id', {'agent_id': 'agentId'})
    'points[3].agentId'
    """
    respelled = []
    position = 0
    while segment := _SEGMENT.match(path, position):
        name = segment[1]
        respelled.append(names.get(name, name) + path[segment.end(1) : segment.end()])
        position = segment.end()
        if name in _MAP_FIELDS:
            break
    return "".join(respelled) + path[position:]


class VumeterError(Exception):
    """What every error meant for a caller derives from.

    `message` is the public text: the one given, else the first violation's sentence, else the
    class's own. At most ten violations are kept.
    """

    default_message: ClassVar[str] = "Internal server error"

    def __init__(self, message: str | None = None, *, violations: Iterable[Violation] = ()) -> None:
        self.violations = tuple(violations)[:MAX_VIOLATIONS]
        self._given = message
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The text that the caller is shown."""
        if self._given is not None:
            return self._given
        if self.violations:
            return self.violations[0].sentence
        return self.default_message

    def respelled(self, names: Mapping[str, str]) -> Self:
        """Return this error with the field paths of its violations spelled as in `names`."""
        respelled = copy.copy(self)
        respelled.violations = tuple(each.respelled(names) for each in self.violations)
        respelled.args = (respelled.message,)
        return respelled


class InvalidArgument(VumeterError):
    """The request breaks a rule; the same request will never succeed."""

    default_message = "Malformed request"

    @classmethod
    def of(cls, field: str, problem: str, *, as_sent: bool = False) -> Self:
        """Return the error for one field: `InvalidArgument.of("step", "must be ...")`."""
        return cls(violations=[Violation(field=field, problem=problem, as_sent=as_sent)])


class BodyTooLarge(VumeterError):
    """The body of a request is larger than is accepted, once it is inflated."""

    default_message = "The request body is larger than 4 MiB"


class UnsupportedEncoding(VumeterError):
    """The body of a request is compressed in a way that the server cannot inflate."""

    default_message = "Content-Encoding must be gzip or absent"


class Unauthenticated(VumeterError):
    """No credential, or an unknown, wrong, expired or revoked one: one text for all of them."""

    default_message = "Missing or invalid credentials"


class PermissionDenied(VumeterError):
    """The credential is good, but its role may not do this."""

    default_message = "Insufficient permissions"


class NotFound(VumeterError):
    """There is no such thing, or it belongs to another organization."""

    default_message = "Not found"


class Conflict(VumeterError):
    """An idempotency key or an id was used before with other content."""

    default_message = "Already exists with other content"


class DeadlineExceeded(VumeterError):
    """The caller's deadline or the server's own time limit passed before the answer was there."""

    default_message = "Deadline exceeded"


class StorageDamaged(VumeterError):
    """What is stored is not what was written; trying again changes nothing.

    `detail` says what is damaged, for the log and for `vumeter db check`; callers never see it.
    """

    default_message = "Stored data is damaged"

    def __init__(
        self,
        message: str | None = None,
        *,
        violations: Iterable[Violation] = (),
        detail: str = "",
    ) -> None:
        super().__init__(message, violations=violations)
        self.detail = detail


class RetryableError(VumeterError):
    """The same request may succeed later; `retry_after_seconds` says when to try."""

    def __init__(
        self,
        message: str | None = None,
        *,
        violations: Iterable[Violation] = (),
        retry_after_seconds: int = 1,
    ) -> None:
        super().__init__(message, violations=violations)
        self.retry_after_seconds = retry_after_seconds


class LimitExceeded(RetryableError):
    """A limit on how much a caller may ask for at once."""

    default_message = "Too many requests"


class Unavailable(RetryableError):
    """Shutting down, or the storage is busy or full; nothing was stored by half."""

    default_message = "Service unavailable"
