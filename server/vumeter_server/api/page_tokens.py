"""Pages of lists after AIP-158: `page_size` and `page_token` of a request, `next_page_token`.

A token says behind which entry its page begins, and which request it belongs to: it is taken only
with the same one, but for its page. It holds nothing that its caller was not shown, and no right:
a position that somebody made up leads through the caller's own entries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Final, TypeVar

import orjson
from google.protobuf.message import Message

from vumeter_server.errors import InvalidArgument

Position = tuple[Any, ...]
"""What identifies an entry among those before it: texts, numbers of 64 bits and None."""

Kinds = tuple[type | tuple[type, ...] | EllipsisType, ...]
"""The types of a position's parts; a last `...` stands for any number of the type before it."""

T = TypeVar("T")

RESUME_PROBLEM: Final = "must be the resume_token of a message of the same request"
PROBLEM: Final = "must be the next_page_token of an answer to the same request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What a request asks of a list.

    Attributes:
        size: the most entries of the page; None for all of them.
        after: the position behind which the page begins; None for the first page.
        request: what distinguishes the request, without its page, from others.
    """

    size: int | None
    after: Position | None
    request: str

    def next_token(self, *position: str | int | None) -> str:
        """Return the token of the page that begins behind `position`."""
        return _token(self.request, position)

    def of(
        self, entries: Sequence[T], position: Callable[[T], Position]
    ) -> tuple[Sequence[T], str]:
        """Return the entries of the page and the token of the next one, "" on the last.

        `entries` are all of the list, and ascend by `position`.
        """
        start = 0 if self.after is None else bisect_right(entries, self.after, key=position)
        if self.size is None or start + self.size >= len(entries):
            return entries[start:], ""
        shown = entries[start : start + self.size]
        return shown, self.next_token(*position(shown[-1]))


def asked_page(request: Message, kinds: Kinds, *, most: int, default: int | None = None) -> Page:
    """Return the page that a request asks for by its `page_size` and `page_token`.

    Raises:
        InvalidArgument: a page of less than 1 entry or of more than `most`; or a token that no
            answer to this request gave.
    """
    message: Any = request
    size, token = message.page_size, message.page_token
    if not 0 <= size <= most:
        raise InvalidArgument.of("page_size", f"must be from 1 to {most:,}")
    fingerprint = _fingerprint(request, "page_size", "page_token")
    return Page(
        size=size or default,
        after=_position(token, fingerprint, kinds) if token else None,
        request=fingerprint,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeToken:
    """Where a stream is to go on, and what makes the tokens of its messages.

    Attributes:
        position: the position behind which it goes on; None for its beginning.
        request: what distinguishes the request, without its token, from others.
    """

    position: Position | None
    request: str

    def behind(self, *position: str | int | None) -> str:
        """Return the token of a message that ends at `position`."""
        return _token(self.request, position)


def resume_token(request: Message, kinds: Kinds) -> ResumeToken:
    """Return where a request asks a stream to go on, by its `resume_token`.

    Raises InvalidArgument for a token that no message of this request had.
    """
    message: Any = request
    token = message.resume_token
    fingerprint = _fingerprint(request, "resume_token")
    position = None
    if token:
        position = _position(token, fingerprint, kinds, "resume_token", RESUME_PROBLEM)
    return ResumeToken(position=position, request=fingerprint)


def _token(fingerprint: str, position: Position) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([fingerprint, *position])).decode()


def _fingerprint(request: Message, *without: str) -> str:
    bare = type(request)()
    bare.CopyFrom(request)
    for field in without:
        bare.ClearField(field)
    content = bare.SerializeToString(deterministic=True)
    named = bare.DESCRIPTOR.full_name.encode() + b"\0" + content
    return base64.b64encode(hashlib.blake2b(named, digest_size=9).digest()).decode()


def _position(
    token: str,
    fingerprint: str,
    kinds: Kinds,
    field: str = "page_token",
    problem: str = PROBLEM,
) -> Position:
    try:
        read = orjson.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        read = None
    if not isinstance(read, list) or read[:1] != [fingerprint] or not _are(read[1:], kinds):
        raise InvalidArgument.of(field, problem)
    return tuple(read[1:])


def _are(parts: Sequence[Any], kinds: Kinds) -> bool:
    if kinds[-1] is ...:
        kinds = (*kinds[:-1], *[kinds[-2]] * (len(parts) - len(kinds) + 1))
    return len(parts) == len(kinds) and all(map(_is, parts, kinds))


def _is(part: Any, kind: Any) -> bool:
    if isinstance(part, int) and (isinstance(part, bool) or not -(2**63) <= part < 2**63):
        return False
    return isinstance(part, kind)
