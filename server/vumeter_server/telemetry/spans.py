"""Spans of work inside of a request. Without tracing they cost nothing worth a name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

Attributes = Mapping[str, str | int]
StartSpan = Callable[[str, Attributes], AbstractContextManager[object]]

_NOTHING: AbstractContextManager[None] = contextlib.nullcontext()
_NO_ATTRIBUTES: Attributes = {}


class _Spans:
    start: StartSpan | None = None


def span(name: str, attributes: Attributes = _NO_ATTRIBUTES) -> AbstractContextManager[object]:
    """Measure what is done in the context as a part of the request that it is done for."""
    start = _Spans.start
    return _NOTHING if start is None else start(name, attributes)


def start_spans_by(start: StartSpan | None) -> None:
    """Let `span` start spans by `start`; None ends that."""
    _Spans.start = start
