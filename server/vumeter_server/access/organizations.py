"""Organizations: the owners of keys, custom metrics and simulations."""

from __future__ import annotations

import unicodedata

MAX_NAME = 128
DEMO = "demo"
"""The organization of demo data, and of who has just begun."""
NAME_PROBLEM = f"must have 1 to {MAX_NAME} characters and no control characters"

# Control characters, lone surrogates, and what ends a line or a paragraph.
_REJECTED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_organization_name(text: str) -> bool:
    """Whether an organization may be called so: 1 to 128 characters, no control characters."""
    return is_one_line(text, MAX_NAME)


def is_one_line(text: str, most: int) -> bool:
    """Whether a text has 1 to `most` characters, and none that controls or ends a line."""
    return 1 <= len(text) <= most and not any(
        unicodedata.category(character) in _REJECTED for character in text
    )
