"""Limits of the gate of `vumeter simulation`, as options write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click

PREVIOUS = "previous"
_LIMIT = re.compile(r"(?P<sign>[+-]?)(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<percent>%?)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A limit as written: `bound` is the field of the proto's Threshold that it stands for."""

    metric: str
    bound: str
    number: float


class LimitType(click.ParamType[Limit]):
    """METRIC=LIMIT, where LIMIT is `+10%`, `-5%`, `+150`, or a value such as `3500`."""

    name = "METRIC=LIMIT"

    def __init__(self, side: str) -> None:
        self._side = side

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Limit:
        """Return the threshold that the text stands for."""
        if isinstance(value, Limit):
            return value
        metric, _, limit = str(value).partition("=")
        read = _LIMIT.fullmatch(limit)
        if not metric or read is None or (read["percent"] and not read["sign"]):
            self.fail(
                f"{value} is not METRIC=LIMIT with a limit such as +10%, -5%, +150 or 3500",
                param,
                ctx,
            )
        number = float(read["sign"] + read["number"])
        kind = "change_percent" if read["percent"] else "change" if read["sign"] else "value"
        return Limit(metric=metric, bound=f"{self._side}_{kind}", number=number)


class ToleranceType(click.ParamType["float | None"]):
    """`chance`, which is None, or a percentage such as `5%`."""

    name = "chance|PERCENT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Return the percentage."""
        if value == "chance":
            return None
        read = _LIMIT.fullmatch(str(value))
        if read is None or read["sign"] or not read["percent"]:
            self.fail(f"{value} is neither chance nor a percentage such as 5%", param, ctx)
        return float(read["number"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What a gate is to judge, and how.

    Attributes:
        baseline: an execution, or PREVIOUS for the one before the candidate.
        candidate: an execution; None for the newest of the run test.
        run_test: the run test of the candidate; None for whichever it belongs to.
        limits: what the candidate has to keep; none for what `tolerance` says.
        tolerance: by how many percent each metric may be worse; None for what chance explains.
        output_format: `text`, `json` or `markdown`.
    """

    baseline: str
    candidate: str | None
    run_test: str | None
    limits: Sequence[Limit]
    tolerance: float | None
    output_format: str
