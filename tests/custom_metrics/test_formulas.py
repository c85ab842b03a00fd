"""Formulas: precedence, what has no value, and what is rejected."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter_server.custom_metrics.formulas import parse_formula
from vumeter_server.errors import InvalidArgument

NAMES = ("attempts", "phone", "p99")


def value_of(text: str, **values: float) -> float:
    columns = {name: np.array([value]) for name, value in values.items()}
    formula = parse_formula(text, NAMES, "formulas[0].expression")
    assert formula.names <= columns.keys()
    return float(formula.evaluate(columns, 1)[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("phone / attempts", 0.75),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("8 / 4 / 2", 1),
        ("8 - 4 - 2", 2),
        ("-phone", -3),
        ("--phone", 3),
        ("2 * -phone", -6),
        ("-2 * -phone", 6),
        (" ( phone+attempts )*1.5e1 ", 105),
        ("0.5", 0.5),
        ("phone/attempts*100", 75),
    ],
)
def test_arithmetic_has_the_usual_precedence(text: str, expected: float) -> None:
    assert value_of(text, phone=3, attempts=4) == expected


@pytest.mark.parametrize(
    "text", ["phone / attempts", "0 * (phone / attempts)", "1e308 * 10 * phone", "phone - p99"]
)
def test_there_is_no_value_without_an_operand_or_with_a_divisor_of_0(text: str) -> None:
    assert math.isnan(value_of(text, phone=3, attempts=0, p99=math.nan))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "ends where a number or a name is expected"),
        ("phone +", "ends where a number or a name is expected"),
        ("phone phone", "has phone where an operator is expected"),
        ("(phone", "lacks a closing parenthesis"),
        ("phone)", "has ) where an operator is expected"),
        ("* phone", "has * where a number or a name is expected"),
        ("unknown", "uses unknown, which is not the `as` of a metric"),
        ("01", "has '01', which is neither"),
        (".5", "has '.5', which is neither"),
        ("1.", "has '1.', which is neither"),
        ("phone % 2", "has '% 2', which is neither"),
        ("1e999", "has a number that is too large"),
        ("(" * 51 + "1" + ")" * 51, "must not be nested more than 50 deep"),
        ("1" * 1_001, "must have at most 1,000 characters"),
    ],
)
def test_what_is_no_formula_is_rejected_with_its_field(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_formula(text, NAMES, "formulas[1].expression")
    (violation,) = caught.value.violations
    assert violation.field == "formulas[1].expression"
    assert problem in violation.problem


numbers = st.integers(0, 20).map(str)
expressions = st.recursive(
    numbers | st.sampled_from(["phone", "attempts"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"- {text}"),
    ),
    max_leaves=12,
)


@given(expressions)
def test_formulas_compute_what_python_computes(text: str) -> None:
    values = {"phone": 3.0, "attempts": 7.0}
    try:
        expected = float(eval(text, {}, values))
    except ZeroDivisionError:
        expected = math.nan
    found = value_of(text, **values)
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)
