"""Numbers in answers."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vumeter_server.numbers import (
    epoch_seconds,
    json_number,
    json_numbers,
    text_number,
    text_numbers,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
REALISTIC = st.one_of(
    st.integers(-(10**6), 10**6).map(float),
    st.decimals(-(10**6), 10**6, places=4).map(float),
    st.floats(1e-8, 1e-4),
    st.floats(-1e23, 1e23),
    FINITE,
)


@pytest.mark.parametrize(
    ("value", "printed", "text"),
    [
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (5.0, "5", "5"),
        (-3.0, "-3", "-3"),
        (2.0**53, "9007199254740992", "9007199254740992"),
        (-(2.0**53), "-9007199254740992", "-9007199254740992"),
        (2.0**63, "9223372036854775808", "9223372036854775808"),
        (-(2.0**64), "-18446744073709551616", "-18446744073709551616"),
        (1e20, "100000000000000000000", "100000000000000000000"),
        (1e21, "1e+21", "1000000000000000000000"),
        (0.5, "0.5", "0.5"),
        (0.1 + 0.2, "0.3", "0.3"),
        (2 / 3, "0.666666666667", "0.666666666667"),
        (640.25, "640.25", "640.25"),
        (-12.75, "-12.75", "-12.75"),
        (2.9999999999999996, "3", "3"),
        (-1e-14 - 1, "-1", "-1"),
        (123456789012.7, "123456789013", "123456789013"),
        (99999999999.96, "100000000000", "100000000000"),
        (123456.7890125, "123456.789012", "123456.789012"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "0.00001", "0.00001"),
        (0.000001, "0.000001", "0.000001"),
        (0.00000123456789, "0.00000123456789", "0.00000123456789"),
        (9.9999999999999e-7, "0.000001", "0.000001"),
        (1.5e-7, "1.5e-7", "0.00000015"),
        (-1.5e-7, "-1.5e-7", "-0.00000015"),
    ],
)
def test_numbers_print_in_the_documented_form(value: float, printed: str, text: str) -> None:
    assert orjson.dumps(json_number(value)).decode() == printed
    assert orjson.dumps(json_numbers(np.array([1.0, value]))).decode() == f"[1,{printed}]"
    assert text_number(value) == text
    assert text_numbers(np.array([1.0, value])) == ["1", text]


@given(REALISTIC)
def test_a_number_is_its_decimal_rounded_to_12_digits_unless_whole(value: float) -> None:
    exact = Decimal(value)
    if value % 1:
        exact = Context(prec=12, rounding=ROUND_HALF_EVEN).create_decimal(exact)
    text = text_number(value)
    assert Decimal(text) == exact
    assert "e" not in text.lower()
    assert text != "-0"
    assert text == "0" or not ("." in text and text.endswith(("0", ".")))
    printed = orjson.dumps(json_number(value)).decode()
    if 1e-6 <= abs(exact) < 10**21:
        assert printed == text
    assert json.loads(printed) == float(exact)


@given(st.lists(REALISTIC, max_size=30))
@example([2.0**63, -(2.0**63), 0.5, -0.0])
@example([0.000999999999999999, 1000000.0000005, 9.99999999999949, 9.9999999999995])
def test_many_numbers_print_as_each_does(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    assert orjson.dumps(json_numbers(array)) == orjson.dumps([json_number(each) for each in values])
    assert text_numbers(array) == [text_number(each) for each in values]


@given(st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=30), st.integers(0, 18))
def test_the_middle_between_two_candidates_is_no_exception(digits: list[int], places: int) -> None:
    values = [float(Decimal(each * 10 + 5).scaleb(-places)) for each in digits]
    array = np.array(values, dtype=np.float64)
    assert orjson.dumps(json_numbers(array)) == orjson.dumps([json_number(each) for each in values])


@pytest.mark.parametrize(
    ("instant", "printed"),
    [
        (1_743_465_600_000_000, "1743465600"),
        (1_743_465_600_500_000, "1743465600.5"),
        (1_743_465_600_123_456, "1743465600.123456"),
        (1_743_465_600_000_001, "1743465600.000001"),
        (0, "0"),
    ],
)
def test_instants_have_a_fraction_only_where_there_is_one(instant: int, printed: str) -> None:
    assert orjson.dumps(epoch_seconds(instant)).decode() == printed
