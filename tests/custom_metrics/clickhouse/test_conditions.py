"""Filters choose in ClickHouse what they choose everywhere: every operator, every expression."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.clickhouse.in_process import empty_database
from tests.effort import tries

from vumeter_server.custom_metrics.clickhouse.conditions import Parameters
from vumeter_server.custom_metrics.matchers import Matcher, Operator, check_matchers
from vumeter_server.errors import InvalidArgument

PIECES = (
    *("a", "b", "é", "😀", "\n", ".", ".*", ".+", "[a-c]", "[^a]", "\\d", "\\w*", "a?", "a|b", "|"),
    *("(", ")", "^", "$", "\\", "\\Q", "\\E", "\\.", "(?i)", "(?s)", "(?m)", "\\A", "\\z", "{2}"),
)
VALUES = [
    "",
    "a",
    "A",
    "b",
    "ab",
    "aa",
    "a\nb",
    "\n",
    "é",
    "😀",
    "a.b",
    "1",
    "a\\",
    "(a)",
    "a|b",
    "'\\'",
]
expressions = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


async def chosen(matcher: Matcher, values: list[str]) -> list[bool]:
    """Return which values ClickHouse finds to match."""
    parameters = Parameters()
    condition = parameters.matches(matcher).replace("session", "v")
    given_values = parameters.bind(values, "Array(String)")
    found = await empty_database().query(
        f"SELECT toBool({condition}) AS c FROM (SELECT arrayJoin({given_values}) AS v)",
        parameters.values,
    )
    matched: list[bool] = found.column("c").to_pylist()
    return matched


@given(expressions, st.sampled_from((Operator.MATCHES, Operator.NOT_MATCHES)))
@example("a\\Q.", Operator.MATCHES)
@example("\\Qa|", Operator.NOT_MATCHES)
@example("a.b", Operator.MATCHES)
@example("(?s)a.b", Operator.MATCHES)
@example("a$", Operator.MATCHES)
@settings(deadline=None, max_examples=tries(150, 5_000))
def test_expressions_match_the_same_values(expression: str, operator: Operator) -> None:
    matcher = Matcher("session_id", operator, (expression,))
    try:
        check_matchers([matcher], "filters")
    except InvalidArgument:
        assume(False)
    expected = [matcher.matches(value) for value in VALUES]
    assert asyncio.run(chosen(matcher, VALUES)) == expected


@pytest.mark.parametrize("operator", [each for each in Operator if not each.is_expression])
@given(st.lists(st.sampled_from(VALUES) | st.text(max_size=4), min_size=1, max_size=3))
@settings(deadline=None, max_examples=tries(30, 1_000))
def test_values_are_compared_as_they_are(operator: Operator, values: list[str]) -> None:
    matcher = Matcher("session_id", operator, tuple(values if operator.is_list else values[:1]))
    candidates = [*VALUES, *values]
    expected = [matcher.matches(value) for value in candidates]
    assert asyncio.run(chosen(matcher, candidates)) == expected


def test_as_many_and_long_values_as_a_filter_takes_are_bound() -> None:
    values = [f"{number:04}" + "😀" * 252 for number in range(1_000)]
    matcher = Matcher("session_id", Operator.IN, tuple(values))
    check_matchers([matcher], "filters")
    asked = [*values[:2], *values[-2:], "none"]
    assert asyncio.run(chosen(matcher, asked)) == [True, True, True, True, False]
