"""What a query asks, and the rows that it is answered with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    import pandas

Function = Literal["sum", "count", "rate", "mean", "min", "max", "last", "percentile", "sessions"]
Operator = Literal["=", "!=", "in", "not in", "=~", "!~"]
Moment = str | date | datetime
Number = int | float | None


@dataclass(frozen=True)
class Filter:
    """What a label of a point must be; a point without the label has the value `""`."""

    label: str
    """A tag, `agent_id`, `environment_id` or `session_id`."""
    op: Operator
    value: str | Sequence[str]
    """Texts for `in` and `not in`; one for `=` and `!=`; an RE2 expression for `=~` and `!~`."""

    def as_json(self) -> dict[str, Any]:
        """Return the filter as it is sent."""
        if isinstance(self.value, str):
            return {"label": self.label, "op": self.op, "value": self.value}
        return {"label": self.label, "op": self.op, "values": list(self.value)}


@dataclass(frozen=True)
class Metric:
    """A column of the answer: a function of the values of a metric."""

    metric: str
    function: Function
    percentile: float | None = None
    """Above 0, at most 100; for the function `percentile`."""
    filters: Sequence[Filter] = ()
    """What points must match for this column, beside the filters of the query."""

    def as_json(self, name: str) -> dict[str, Any]:
        """Return the column as it is sent."""
        sent: dict[str, Any] = {"as": name, "metric": self.metric, "function": self.function}
        if self.percentile is not None:
            sent["percentile"] = self.percentile
        if self.filters:
            sent["filters"] = [each.as_json() for each in self.filters]
        return sent


@dataclass(frozen=True)
class Row:
    """The values of one bucket and group. A value that does not exist is None."""

    start: datetime
    end: datetime
    """The bucket's bounds in the range, with the offset of the query's time zone."""
    labels: Mapping[str, str | None]
    """The group; all None for the one that holds the others."""
    values: Mapping[str, Number]
    counts: Mapping[str, int]
    """How many values are behind the value of each metric."""
    previous: Mapping[str, Number] | None = None
    """The values of the range that is compared with, if there is one."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """How far a percentile may be off, where it is not exact."""


@dataclass(frozen=True)
class QueryResult(Sequence[Row]):
    """The rows of an answer, in order."""

    rows: Sequence[Row]
    groups: int
    """How many groups there are without `limit`."""
    timezone: str
    """The time zone of the query."""

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        """Return a row, or several."""
        return self.rows[index]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        """Go through the rows."""
        return iter(self.rows)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a frame with a line per row.

        Its columns are `start`, `end`, the labels, the values, `counts.<name>` and, where there is
        a comparison, `previous.<name>`. Times are in the time zone of the query; values are
        `float64`, with NaN for no value.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas  # noqa: PLC0415 - only who calls this needs it

        columns: dict[str, Any] = {
            name: pandas.to_datetime(
                [getattr(row, name) for row in self.rows], utc=True
            ).tz_convert(self.timezone)
            for name in ("start", "end")
        }
        first = self.rows[0] if self.rows else None
        for label in first.labels if first else ():
            columns[label] = [row.labels[label] for row in self.rows]
        for name in first.values if first else ():
            columns[name] = pandas.array(
                [_float(row.values[name]) for row in self.rows], dtype="float64"
            )
        for name in first.counts if first else ():
            columns[f"counts.{name}"] = [row.counts[name] for row in self.rows]
        for name in (first.previous or {}) if first else ():
            columns[f"previous.{name}"] = pandas.array(
                [_float((row.previous or {})[name]) for row in self.rows], dtype="float64"
            )
        return pandas.DataFrame(columns)


def row_of(read: Mapping[str, Any]) -> Row:
    """Return a row of the JSON answer."""
    return Row(
        start=_time(read["start"]),
        end=_time(read["end"]),
        labels=read["labels"],
        values=read["values"],
        counts=read["counts"],
        previous=read.get("previous"),
        errors=read.get("errors", {}),
    )


def moment_text(moment: Moment) -> str:
    """Return a start or an end of a range as it is sent."""
    return moment if isinstance(moment, str) else moment.isoformat()


def _time(text: str) -> datetime:
    # Python 3.10 reads fractions of three or six digits only.
    padded = re.sub(r"\.(\d+)", lambda found: f".{found[1]:0<6}", text)
    return datetime.fromisoformat(padded)


def _float(number: Number) -> float:
    return float("nan") if number is None else float(number)
