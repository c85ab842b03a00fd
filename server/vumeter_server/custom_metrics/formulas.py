"""Formulas of a query: arithmetic on the values of its metrics, row by row.

Grammar, with the usual precedence; spaces may stand between any two tokens:

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor  = "-" factor | number | name | "(" sum ")"

A number is written as in JSON, without a sign; a name is the `as` of a metric. A result has no
value where an operand has none, a divisor is 0, or the result is not finite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.errors import InvalidArgument

Floats = npt.NDArray[np.float64]

MAX_LENGTH: Final = 1_000
# Deep enough for any formula that a person writes, and no danger to the stack.
MAX_DEPTH: Final = 50

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[-+*/()]))"
)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a stack machine: push a number or a name's values, or apply an operator."""

    kind: str
    number: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was read; `names` are those of the metrics it uses."""

    steps: tuple[_Step, ...]
    names: frozenset[str]

    def evaluate(self, values: Mapping[str, Floats], rows: int) -> Floats:
        """Return float64[rows]; `values` holds float64[rows] per name, NaN for no value."""
        stack: list[Floats] = []
        with np.errstate(all="ignore"):
            for step in self.steps:
                if step.kind == "number":
                    stack.append(np.full(rows, step.number))
                elif step.kind == "name":
                    stack.append(values[step.name])
                elif step.kind == "negate":
                    stack.append(-stack.pop())
                else:
                    right = stack.pop()
                    stack.append(_finite(_OPERATORS[step.kind](stack.pop(), right)))
        return _finite(stack.pop())


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


_OPERATORS: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    # Division by 0 gives an infinity or NaN, and so no value.
    "/": np.divide,
}


def parse_formula(text: str, names: Sequence[str], field: str) -> Formula:
    """Read a formula that may use `names`; raises InvalidArgument naming `field`."""
    if len(text) > MAX_LENGTH:
        raise InvalidArgument.of(field, f"must have at most {MAX_LENGTH:,} characters")
    return _Parser(text, frozenset(names), field).parse()


class _Parser:
    """A parser by recursive descent."""

    def __init__(self, text: str, names: frozenset[str], field: str) -> None:
        self._names = names
        self._field = field
        self._tokens = self._split(text)
        self._next = 0
        self._steps: list[_Step] = []
        self._depth = 0

    def parse(self) -> Formula:
        self._sum()
        if self._next < len(self._tokens):
            raise self._wrong(f"has {self._tokens[self._next][1]} where an operator is expected")
        used = frozenset(step.name for step in self._steps if step.kind == "name")
        return Formula(tuple(self._steps), used)

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens = []
        position, text = 0, text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                part = text[position:].strip()[:10]
                raise self._wrong(f"has {part!r}, which is neither a number nor a name nor + - * /")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        return tokens

    def _take(self, *signs: str) -> str | None:
        if self._next < len(self._tokens):
            kind, text = self._tokens[self._next]
            if kind == "sign" and text in signs:
                self._next += 1
                return text
        return None

    def _sum(self) -> None:
        self._product()
        while sign := self._take("+", "-"):
            self._product()
            self._steps.append(_Step(sign))

    def _product(self) -> None:
        self._factor()
        while sign := self._take("*", "/"):
            self._factor()
            self._steps.append(_Step(sign))

    def _factor(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"must not be nested more than {MAX_DEPTH} deep")
        if self._take("-"):
            self._factor()
            self._steps.append(_Step("negate"))
        elif self._take("("):
            self._sum()
            if not self._take(")"):
                raise self._wrong("lacks a closing parenthesis")
        else:
            self._operand()
        self._depth -= 1

    def _operand(self) -> None:
        if self._next == len(self._tokens):
            raise self._wrong("ends where a number or a name is expected")
        kind, text = self._tokens[self._next]
        self._next += 1
        if kind == "number":
            number = float(text)
            if not np.isfinite(number):
                raise self._wrong(f"has a number that is too large: {text}")
            self._steps.append(_Step("number", number=number))
        elif kind == "name":
            if text not in self._names:
                raise self._wrong(f"uses {text}, which is not the `as` of a metric")
            self._steps.append(_Step("name", name=text))
        else:
            raise self._wrong(f"has {text} where a number or a name is expected")

    def _wrong(self, problem: str) -> InvalidArgument:
        return InvalidArgument.of(self._field, problem)
