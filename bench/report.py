"""What is measured, and how it is shown: on the terminal and in RESULTS.md."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HEADER = ("what", "measured", "against", "ratio", "must hold", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One line of a table.

    Attributes:
        what: what was measured, and under which load.
        value: the value with its unit.
        against: what it is set against, with its value; "" if it is an absolute one.
        ratio: the ratio of the two, or the value itself; what `at_least` and `at_most` bound.
        ratio_text: the ratio as it is shown.
        at_least, at_most: what must hold; neither is for information.
        must_hold: the bound as it is shown.
    """

    what: str
    value: str
    against: str = ""
    ratio: float = math.nan
    ratio_text: str = ""
    at_least: float | None = None
    at_most: float | None = None
    must_hold: str = ""

    @property
    def verdict(self) -> str:
        """Return `pass`, `short`, or nothing where nothing must hold."""
        if self.at_least is not None:
            return "pass" if self.ratio >= self.at_least else "short"
        if self.at_most is not None:
            return "pass" if self.ratio <= self.at_most else "short"
        return ""

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the line's cells, in the order of HEADER."""
        return (
            self.what,
            self.value,
            self.against,
            self.ratio_text,
            self.must_hold,
            self.verdict,
        )


def times_as_fast(
    what: str, ours_ms: float, theirs_ms: float, name: str, at_least: float | None = None
) -> Measured:
    """Set our time against another's: 2 means that we take half as long."""
    ratio = theirs_ms / ours_ms
    return Measured(
        what=what,
        value=f"{ours_ms:.3g} ms",
        against=f"{name} {theirs_ms:.3g} ms",
        ratio=ratio,
        ratio_text=f"{_short(ratio)}x as fast",
        at_least=at_least,
        must_hold=f"at least {at_least:g}" if at_least else "",
    )


def times_as_long(
    what: str, value: float, base: float, unit: str, against: str, at_most: float | None = None
) -> Measured:
    """Set a time or a size against a base of ours: 1.3 means 30 % more than the base."""
    ratio = value / base
    return Measured(
        what=what,
        value=f"{value:.3g} {unit}",
        against=f"{against} {base:.3g} {unit}",
        ratio=ratio,
        ratio_text=f"{_short(ratio)}x",
        at_most=at_most,
        must_hold=f"at most {at_most:g}" if at_most else "",
    )


def share(
    what: str, value: float, base: float, unit: str, against: str, at_least: float | None = None
) -> Measured:
    """Set a rate against a base: 0.6 is 60 %."""
    ratio = value / base
    return Measured(
        what=what,
        value=f"{value:,.0f} {unit}",
        against=f"{against} {base:,.0f} {unit}",
        ratio=ratio,
        ratio_text=f"{ratio:.0%}" if ratio < 2 else f"{_short(ratio)}x",
        at_least=at_least,
        must_hold=f"at least {at_least:.0%}" if at_least else "",
    )


def rate(what: str, value: float, unit: str, at_least: float | None = None) -> Measured:
    """Show a rate by itself."""
    return Measured(
        what=what,
        value=f"{value:,.0f} {unit}",
        ratio=value,
        at_least=at_least,
        must_hold=f"at least {at_least:,.0f}" if at_least else "",
    )


def value_line(what: str, value: float, unit: str, at_most: float | None = None) -> Measured:
    """Show a value by itself, the less the better."""
    return Measured(
        what=what,
        value=f"{value:.3g} {unit}" if value < 1_000 else f"{value:,.0f} {unit}",
        ratio=value,
        at_most=at_most,
        must_hold=f"at most {at_most:g}" if at_most else "",
    )


def bounded(
    what: str, value: float, unit: str, limit: float, *, higher_is_better: bool = False
) -> Measured:
    """Show a value, whatever it is, with its bound."""
    shown = f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
    return Measured(
        what=what,
        value=f"{shown} {unit}",
        ratio=value,
        at_least=limit if higher_is_better else None,
        at_most=None if higher_is_better else limit,
        must_hold=f"{'at least' if higher_is_better else 'at most'} {limit:,g}",
    )


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


@dataclass(kw_only=True, slots=True)
class Report:
    """The tables of one run, in the order in which they were measured."""

    title: str
    facts: list[str] = field(default_factory=list)
    tables: list[tuple[str, str, list[Measured]]] = field(default_factory=list)

    def begin(self, title: str, note: str) -> None:
        """Begin the table of a section."""
        self.tables.append((title, note, []))

    def add(self, line: Measured) -> None:
        """Add a line to the last table."""
        self.tables[-1][2].append(line)

    def summary(self) -> str:
        """Return how many of the bounds hold."""
        verdicts = [line.verdict for *_, lines in self.tables for line in lines]
        passed, short = verdicts.count("pass"), verdicts.count("short")
        return f"{passed} of {passed + short} bounds hold"

    def markdown(self) -> str:
        """Return the whole report."""
        text = [f"# {self.title}", "", *(f"- {fact}" for fact in self.facts)]
        text += [
            "",
            f"{self.summary()}. Read the ratios: times differ from machine to machine.",
            "",
        ]
        for title, note, lines in self.tables:
            text += [f"## {title}", "", *([note, ""] if note else [])]
            text += [_row(HEADER), _row(["---"] * len(HEADER))]
            text += [_row(line.cells) for line in lines]
            text.append("")
        return "\n".join(text)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def machine() -> list[str]:
    """Return what was used to measure."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores ({processor}),"
        f" {memory:.0f} GiB; Linux {platform.release()}; load before: {load}",
        f"Python {platform.python_version()}",
    ]
