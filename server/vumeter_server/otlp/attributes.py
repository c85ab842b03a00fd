"""Attributes of OpenTelemetry as the texts of labels."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

from vumeter_server.custom_metrics.label_sets import MAX_TAG_VALUE
from vumeter_server.custom_metrics.labels import MAX_LABEL_NAME, RESERVED_LABELS

Value = str | bool | int | float | bytes | list[Any] | dict[str, Any] | None
"""What an attribute can hold; None is an empty value."""

RESERVED_PREFIX: Final = "otel_"
_HASH_CHARACTERS: Final = 8
_NOT_OF_NAMES: Final = re.compile(r"[^a-zA-Z0-9_]")


def text_of(value: Value) -> str:
    """Return the text of a value; "" for none.

    Booleans are `true` and `false`, doubles have their shortest form, bytes are base64; arrays and
    maps are compact JSON with sorted keys.
    """
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, float):
        return _text_of_double(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()


def _text_of_double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value).removesuffix(".0")


def _plain(value: Value) -> Any:
    """Return a value that JSON has."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {text_of(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes | str):
        return text_of(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def cut(text: str, longest: int = MAX_TAG_VALUE) -> str:
    """Return a text of at most `longest` characters: of a longer one the start, `~` and a hash."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - _HASH_CHARACTERS - 1]}~{_hash_of(text)}"


def label_name(key: str) -> str:
    """Return the name of the label that an attribute becomes; "" for an attribute without a key.

    What no label name can hold becomes `_`; a reserved name gets `otel_` before it.
    """
    name = _NOT_OF_NAMES.sub("_", key)
    if name[:1].isdigit():
        name = f"_{name}"
    if name in RESERVED_LABELS:
        name = RESERVED_PREFIX + name
    if len(name) > MAX_LABEL_NAME:
        name = f"{name[: MAX_LABEL_NAME - _HASH_CHARACTERS - 1]}_{_hash_of(name)}"
    return name


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]


def joined(values: Iterable[str]) -> str:
    """Return the value of a label that several attributes become."""
    return ";".join(values)
