"""Filters of a query: what a point's labels have to be.

A point without the label has the value `""`. Regular expressions are RE2, which takes time in
proportion to the text whatever the expression, and match whole values. They are applied to the
distinct values of a label, never to points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import re2

from vumeter_server.custom_metrics.labels import MAX_ID, SYSTEM_LABELS, is_label_name, quote
from vumeter_server.errors import InvalidArgument

MAX_MATCHERS: Final = 20
MAX_VALUES: Final = 1_000
MAX_EXPRESSION: Final = 1_000
_NEVER_FILTERED: Final = ("metric_name", "organization_id", "date", "metrics")
# A program this large is far beyond what people write, and bounds memory.
_PROGRAM_BYTES: Final = 1 << 20


class Operator(Enum):
    """How a label's value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    IN = "in"
    NOT_IN = "not in"
    MATCHES = "=~"
    NOT_MATCHES = "!~"

    @property
    def is_negative(self) -> bool:
        """Whether it holds where its positive twin does not."""
        return self in (Operator.NOT_EQUAL, Operator.NOT_IN, Operator.NOT_MATCHES)

    @property
    def is_expression(self) -> bool:
        """Whether its value is a regular expression."""
        return self in (Operator.MATCHES, Operator.NOT_MATCHES)

    @property
    def is_list(self) -> bool:
        """Whether it compares with several values."""
        return self in (Operator.IN, Operator.NOT_IN)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One filter: a label, an operator, and its value or values."""

    label: str
    operator: Operator
    values: tuple[str, ...]

    def matches(self, value: str) -> bool:
        """Whether a label's value, `""` where a point lacks the label, is what is asked for."""
        if self.operator.is_expression:
            found = _compiled(self.values[0]).fullmatch(value) is not None
        else:
            found = value in self.values
        return found is not self.operator.is_negative


def check_matchers(matchers: Sequence[Matcher], field: str) -> tuple[Matcher, ...]:
    """Return filters that all have to hold; raises InvalidArgument naming what is wrong first."""
    if len(matchers) > MAX_MATCHERS:
        raise InvalidArgument.of(field, f"must hold at most {MAX_MATCHERS} filters")
    for index, matcher in enumerate(matchers):
        _check(matcher, f"{field}[{index}]")
    return tuple(matchers)


def _check(matcher: Matcher, field: str) -> None:
    label, values = matcher.label, matcher.values
    if label in _NEVER_FILTERED or (label not in SYSTEM_LABELS and not is_label_name(label)):
        raise InvalidArgument.of(
            f"{field}.label", f"must be the name of a label, not {quote(label)}"
        )
    if matcher.operator.is_list:
        if not 1 <= len(values) <= MAX_VALUES:
            raise InvalidArgument.of(f"{field}.values", f"must hold 1 to {MAX_VALUES:,} values")
        longest = max(map(len, values))
        if longest > MAX_ID:
            raise InvalidArgument.of(
                f"{field}.values", f"must hold values of at most {MAX_ID} characters"
            )
        return
    value = values[0]
    if not matcher.operator.is_expression:
        if len(value) > MAX_ID:
            raise InvalidArgument.of(f"{field}.value", f"must have at most {MAX_ID} characters")
        return
    if len(value) > MAX_EXPRESSION:
        raise InvalidArgument.of(f"{field}.value", f"must have at most {MAX_EXPRESSION} characters")
    try:
        _compiled(value)
    except re2.error:
        raise InvalidArgument.of(
            f"{field}.value", "must be a regular expression (RE2 syntax)"
        ) from None


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PROGRAM_BYTES
    return re2.compile(expression, options=options)
