"""How numbers print, in JSON and in text.

Whole values print as integers. Others have at most 12 significant digits, shortest form. There is
no `-0`, no exponent for 1e-6 ≤ |x| < 1e21, and none at all in text. NaN and infinity do not occur.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

JsonNumber = int | float | orjson.Fragment
"""What orjson prints as a number in our form."""

Floats = npt.NDArray[np.float64]

_DIGITS: Final = 12
# Whole floats below this convert to 64-bit integers, which orjson prints as they are.
_INTEGER_LIMIT: Final = 2.0**63
# orjson prints smaller and larger floats with an exponent than our form has one for.
_ORJSON_EXPONENT_BELOW: Final = 1e-5
_EXPONENT_BELOW: Final = 1e-6
_EXPONENT_FROM: Final = 1e21
# So many numbers are rounded faster one by one.
_FEW: Final = 32
# Powers of ten up to 10^22 are exact in binary, and so is an integer of 12 digits: their quotient
# is rounded once, to the double nearest to the decimal.
_POWERS_OF_TEN: Final = np.array([10**power for power in range(23)], dtype=np.float64)


def json_number(value: float) -> JsonNumber:
    """Return what makes orjson print a finite number in our form."""
    rounded = float(f"{value:.{_DIGITS}g}") if value % 1 else value
    size = abs(rounded)
    if not rounded % 1 and size < _EXPONENT_FROM:
        return int(rounded) if size < _INTEGER_LIMIT else orjson.Fragment(str(int(rounded)))
    if _EXPONENT_BELOW <= size < _ORJSON_EXPONENT_BELOW:
        return orjson.Fragment(format(Decimal(repr(rounded)), "f"))
    return rounded


def text_number(value: float) -> str:
    """Print a finite number in our form, never with an exponent."""
    if not value % 1:
        return str(int(value))
    text = f"{value:.{_DIGITS}g}"
    return format(Decimal(text), "f") if "e" in text else text


def json_numbers(values: Floats) -> list[JsonNumber]:
    """Do what `json_number` does for many values at once; fast where nearly all are whole."""
    whole = _are_small_integers(values)
    if whole.all():
        integers: list[JsonNumber] = values.astype(np.int64).tolist()
        return integers
    numbers: list[JsonNumber] = np.where(whole, values, 0).astype(np.int64).tolist()
    others = np.flatnonzero(~whole)
    if len(others) < _FEW:
        for index, value in zip(others.tolist(), values[others].tolist(), strict=True):
            numbers[index] = json_number(value)
        return numbers
    rounded, sure = _round(values[others])
    for index, value, done in zip(others.tolist(), rounded.tolist(), sure.tolist(), strict=True):
        numbers[index] = value if done else json_number(float(values[index]))
    return numbers


def text_numbers(values: Floats) -> list[str]:
    """Do what `text_number` does for many values at once; fast where nearly all are whole."""
    whole = _are_small_integers(values)
    texts = _texts((values if whole.all() else np.where(whole, values, 0)).astype(np.int64))
    if not whole.all():
        others = np.flatnonzero(~whole)
        for index, value in zip(others.tolist(), values[others].tolist(), strict=True):
            texts[index] = text_number(value)
    return texts


def _texts(integers: npt.NDArray[np.int64]) -> list[str]:
    """Print integers; orjson does it several times as fast as `str` for each."""
    return orjson.dumps(integers.tolist())[1:-1].decode().split(",") if len(integers) else []


def epoch_seconds(instant_us: int) -> int | float:
    """Return an instant in seconds since the epoch, with a fraction only where there is one."""
    seconds, fraction = divmod(instant_us, 1_000_000)
    return instant_us / 1_000_000 if fraction else seconds


def many_epoch_seconds(instants_us: npt.NDArray[np.int64]) -> list[int] | list[int | float]:
    """Do what `epoch_seconds` does for many instants; fast where all are whole seconds."""
    seconds, fractions = np.divmod(instants_us, 1_000_000)
    if fractions.any():
        return [epoch_seconds(each_us) for each_us in instants_us.tolist()]
    whole: list[int] = seconds.tolist()
    return whole


def _are_small_integers(values: Floats) -> npt.NDArray[np.bool_]:
    small_integers: npt.NDArray[np.bool_] = (np.floor(values) == values) & (
        np.abs(values) < _INTEGER_LIMIT
    )
    return small_integers


def _round(values: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Round to 12 significant digits, and say where the result surely is the nearest and prints.

    Not sure are numbers too near to the middle of two candidates for a product in floating point,
    those which the rounding makes whole, and those that orjson may print with an exponent.
    """
    size = np.abs(values)
    plain = (size >= _ORJSON_EXPONENT_BELOW) & (size < 1e11)
    values = np.where(plain, values, 1.0)
    exponent = np.floor(np.log10(np.abs(values)))
    scale = _POWERS_OF_TEN[(_DIGITS - 1 - exponent).astype(np.int64)]
    scaled = values * scale
    digits = np.rint(scaled)
    rounded = digits / scale
    sure = (
        plain
        & (np.abs(scaled - digits) < 0.499)
        & (np.abs(digits) < 1e12)
        & (np.floor(rounded) != rounded)
    )
    return rounded, sure
