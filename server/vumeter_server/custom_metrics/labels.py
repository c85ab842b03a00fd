"""Names of metrics and labels, and the parts of a query that are made of them.

A user label is what a caller calls a tag. `""` as the value of a label means that a point lacks it.
`parse_*` read the text of the REST API; `check_*` take the lists and maps of the gRPC API, and what
`parse_*` have read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Final, Never

from vumeter_server.errors import InvalidArgument

MAX_METRIC_NAME: Final = 200
MAX_LABEL_NAME: Final = 128
MAX_ID: Final = 256
MAX_METRIC_NAMES: Final = 100
MAX_GROUP_BY: Final = 5

SYSTEM_LABELS: Final = ("agent_id", "environment_id", "session_id")
RESERVED_LABELS: Final = frozenset(
    {"metric_name", "organization_id", *SYSTEM_LABELS, "date", "metrics"}
)
"""Names that no user label may have: they mean something else in answers."""

LabelFilter = tuple[tuple[str, str], ...]
"""Pairs of label and value that a point must all match; `""` matches points without the label."""

_METRIC_NAME: Final = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_.:]{{0,{MAX_METRIC_NAME - 1}}}")
_LABEL_NAME: Final = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_]{{0,{MAX_LABEL_NAME - 1}}}")
_NEVER_FILTERED: Final = ("metric_name", "organization_id")
_NEVER_GROUPED: Final = (*_NEVER_FILTERED, "date", "metrics")
_TAGS_PROBLEM: Final = "must be a JSON object of strings, numbers or booleans"


def is_metric_name(text: str) -> bool:
    """Whether a metric may have this name: `[a-zA-Z_][a-zA-Z0-9_.:]*`, at most 200 characters."""
    return _METRIC_NAME.fullmatch(text) is not None


def is_label_name(text: str) -> bool:
    """Whether a label may have this name: `[a-zA-Z_][a-zA-Z0-9_]*`, at most 128 characters."""
    return _LABEL_NAME.fullmatch(text) is not None


def parse_metric_names(text: str | None, field: str = "metric_names") -> tuple[str, ...]:
    """Read a comma-separated list of metric names; () when absent or "", which means every metric.

    Spaces around commas are trimmed and repeats dropped.
    """
    return check_metric_names(_split(text), field)


def check_metric_names(names: Iterable[str], field: str = "metric_names") -> tuple[str, ...]:
    """Return the names without repeats, in order; at most 100, none empty.

    A name that no metric can have is not rejected: it is a metric without points.
    """
    distinct = tuple(dict.fromkeys(names))
    if "" in distinct:
        raise InvalidArgument.of(field, "must be a list of metric names without empty items")
    if len(distinct) > MAX_METRIC_NAMES:
        raise InvalidArgument.of(field, f"must hold at most {MAX_METRIC_NAMES} names")
    if any(len(name) > MAX_METRIC_NAME for name in distinct):
        raise InvalidArgument.of(field, f"must hold names of at most {MAX_METRIC_NAME} characters")
    return distinct


def check_length(text: str, field: str, longest: int) -> str:
    """Return a name or an id that is asked for; "" is one that is not asked for."""
    if len(text) > longest:
        raise InvalidArgument.of(field, f"must have at most {longest} characters")
    return text


def parse_group_by(text: str | None, field: str = "group_by") -> tuple[str, ...]:
    """Read a comma-separated list of labels; () when absent or "", which means no grouping.

    Spaces around commas are trimmed and repeats dropped.
    """
    return check_group_by(_split(text), field)


def check_group_by(labels: Iterable[str], field: str = "group_by") -> tuple[str, ...]:
    """Return the labels without repeats, in order: at most 5 user or system labels."""
    distinct = tuple(dict.fromkeys(labels))
    for label in distinct:
        if not label:
            raise InvalidArgument.of(field, "must be a list of label names without empty items")
        if label in _NEVER_GROUPED:
            raise InvalidArgument.of(field, f"must not hold {label}")
        if not is_label_name(label):
            raise InvalidArgument.of(field, f"must hold label names: {quote(label)} is none")
    if len(distinct) > MAX_GROUP_BY:
        raise InvalidArgument.of(field, f"must hold at most {MAX_GROUP_BY} labels")
    return distinct


def parse_tags(text: str | None, field: str = "tags") -> dict[str, str]:
    """Read a filter: a JSON object of strings, numbers or booleans; {} when absent or "".

    Numbers and booleans become text: `1`, `1.0` and `"1"` are `1`, `true` is `true`. Anything else
    is rejected: another JSON value, a nested or null one, a key that is there twice.
    """
    if not text:
        return {}
    try:
        found = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_int=_int_text,
            parse_float=_float_text,
            parse_constant=_no_constant,
        )
        tags = {key: _value_text(value) for key, value in _object(found).items()}
        # A lone surrogate can be written in JSON, but not be stored or answered.
        "".join((*tags, *tags.values())).encode()
    except (ValueError, RecursionError):
        raise InvalidArgument.of(field, _TAGS_PROBLEM) from None
    return check_tags(tags, field)


def check_tags(tags: Mapping[str, str], field: str = "tags") -> dict[str, str]:
    """Return a filter by labels, user's or system's; all must match, `""` matches an absent one."""
    for label in _NEVER_FILTERED:
        if label in tags:
            raise InvalidArgument.of(field, f"must not filter by {label}")
    return dict(tags)


def label_filter(
    tags: Mapping[str, str],
    *,
    agent_id: str | None = None,
    environment_id: str | None = None,
    within: str = "",
) -> LabelFilter:
    """Join the filters of a query, sorted and without repeats; "" as an id is the same as absent.

    One label can be there with two values: then no point matches. `within` is what the ids' fields
    are named after, such as `selection.`. Raises InvalidArgument for an id that no point can have.
    """
    pairs = set(tags.items())
    if agent_id:
        pairs.add(("agent_id", check_length(agent_id, f"{within}agent_id", MAX_ID)))
    if environment_id:
        pairs.add(
            ("environment_id", check_length(environment_id, f"{within}environment_id", MAX_ID))
        )
    return tuple(sorted(pairs))


def quote(text: str) -> str:
    """Return a caller's text as a message can show it: quoted, at most 40 characters of it."""
    return json.dumps(text if len(text) <= 40 else text[:39] + "…", ensure_ascii=False)


def _split(text: str | None) -> list[str]:
    return [item.strip(" ") for item in text.split(",")] if text else []


def _object(found: object) -> dict[str, object]:
    if isinstance(found, dict):
        return found
    raise ValueError("not an object")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _int_text(text: str) -> str:
    return "0" if text == "-0" else text


def _float_text(text: str) -> str:
    number = float(text)
    if not isfinite(number):
        raise ValueError("too large")
    if number.is_integer():
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def _no_constant(text: str) -> Never:
    raise ValueError(f"{text} is no JSON number")


def _value_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise ValueError("neither text nor number nor boolean")
