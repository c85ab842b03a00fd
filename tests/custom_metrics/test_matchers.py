"""Filters of a query: what matches, and what is rejected."""

from __future__ import annotations

import pytest

from vumeter_server.custom_metrics.matchers import Matcher, Operator, check_matchers
from vumeter_server.errors import InvalidArgument


@pytest.mark.parametrize(
    ("operator", "values", "matching", "others"),
    [
        ("=", ["abc"], ["abc"], ["", "ABC", "abcd"]),
        ("=", [""], [""], ["abc"]),
        ("!=", ["abc"], ["", "abcd"], ["abc"]),
        ("in", ["a", "b"], ["a", "b"], ["", "c", "ab"]),
        ("not in", ["a", ""], ["b"], ["a", ""]),
        ("=~", ["a.*"], ["a", "abc"], ["", "ba"]),
        ("=~", ["a|b"], ["a", "b"], ["ab"]),
        ("=~", [".*"], ["", "ü"], []),
        ("!~", ["a+"], ["", "b", "ab"], ["a", "aa"]),
        ("=~", ["(?i)straße"], ["STRASSE".replace("SS", "ß"), "straße"], ["strasse"]),
    ],
)
def test_whole_values_match(
    operator: str, values: list[str], matching: list[str], others: list[str]
) -> None:
    matcher = Matcher("company_id", Operator(operator), tuple(values))
    check_matchers([matcher], "filters")
    assert all(map(matcher.matches, matching))
    assert not any(map(matcher.matches, others))


def test_an_expression_that_backtracks_elsewhere_takes_no_time() -> None:
    matcher = Matcher("topic", Operator.MATCHES, ("(a*)*b",))
    check_matchers([matcher], "filters")
    assert not matcher.matches("a" * 256)


@pytest.mark.parametrize(
    ("matcher", "field", "problem"),
    [
        (Matcher("a b", Operator.EQUAL, ("x",)), "filters[0].label", "must be the name of a label"),
        (Matcher("date", Operator.EQUAL, ("x",)), "filters[0].label", "must be the name"),
        (Matcher("a", Operator.EQUAL, ("x" * 257,)), "filters[0].value", "at most 256"),
        (Matcher("a", Operator.IN, ()), "filters[0].values", "must hold 1 to 1,000 values"),
        (Matcher("a", Operator.IN, ("x",) * 1_001), "filters[0].values", "must hold 1 to 1,000"),
        (Matcher("a", Operator.NOT_IN, ("x" * 257,)), "filters[0].values", "at most 256"),
        (Matcher("a", Operator.MATCHES, ("(",)), "filters[0].value", "regular expression"),
        (Matcher("a", Operator.MATCHES, ("(?=a)",)), "filters[0].value", "regular expression"),
        (Matcher("a", Operator.MATCHES, ("x" * 1_001,)), "filters[0].value", "at most 1000"),
    ],
)
def test_what_is_no_filter_is_rejected_with_its_field(
    matcher: Matcher, field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_matchers([matcher], "filters")
    (violation,) = caught.value.violations
    assert violation.field == field
    assert problem in violation.problem


def test_there_are_at_most_20_filters() -> None:
    with pytest.raises(InvalidArgument, match="at most 20"):
        check_matchers([Matcher("a", Operator.EQUAL, ("x",))] * 21, "filters")
