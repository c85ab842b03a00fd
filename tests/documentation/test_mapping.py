"""The table of how attributes are mapped is that of the code."""

from __future__ import annotations

import re

import pytest
from tests.documentation.pages import DOCS

from vumeter_server.custom_metrics.label_sets import MAX_TAG_VALUE, MAX_TAGS
from vumeter_server.otlp.attributes import RESERVED_PREFIX, cut
from vumeter_server.otlp.mapping import (
    DEFAULT_MAPPING,
    NO_AGENT_PREFIX,
    NO_AGENTS,
    NOT_SIMULATED,
)

PAGE = (DOCS / "opentelemetry.md").read_text()


def rows() -> dict[str, str]:
    """Return the rules of the table by what they are about."""
    (table,) = re.findall(r"^\| attributes \| rule \|\n\| --- \| --- \|\n((?:\|.*\n)+)", PAGE, re.M)
    cells = [re.fullmatch(r"\| (.*?) \| (.*) \|", line) for line in table.splitlines()]
    return {found[1]: found[2] for found in cells if found is not None}


def keys(rule: str) -> tuple[str, ...]:
    """Return what a rule spells as code."""
    return tuple(re.findall(r"`([^`]+)`", rule))


LISTS = {
    "agent": (*DEFAULT_MAPPING.agent, f"{NO_AGENT_PREFIX}…", *NO_AGENTS),
    "environment": DEFAULT_MAPPING.environment,
    "session": DEFAULT_MAPPING.session,
    "dropped": (*DEFAULT_MAPPING.dropped, NOT_SIMULATED),
    "labels": DEFAULT_MAPPING.kept,
}


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_are_those_of_the_code_in_their_order(name: str) -> None:
    assert keys(rows()[name]) == LISTS[name]


def test_names_and_lengths_are_those_of_the_code() -> None:
    found = rows()
    assert f"`{RESERVED_PREFIX}`" in found["name of a label"]
    start, _, rest = cut("x" * 1_000).partition("~")
    assert found[f"longer than {MAX_TAG_VALUE} characters"] == (
        f"the first {len(start)}, `~` and {len(rest)} digits of a hash"
    )
    assert f"more than {MAX_TAGS} labels" in found


def test_every_row_is_compared() -> None:
    assert rows().keys() == {
        *LISTS,
        "name of a label",
        "several attributes of one name",
        "value",
        f"longer than {MAX_TAG_VALUE} characters",
        f"more than {MAX_TAGS} labels",
    }
