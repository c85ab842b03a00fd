"""Conditions of statements: which rows a query is about, with everything bound as a parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from vumeter_server.clickhouse.port import Parameter
from vumeter_server.custom_metrics.clickhouse.changes import HiddenPoints
from vumeter_server.custom_metrics.exported import KnownMetric
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.questions import DeleteQuery, ExportQuery
from vumeter_server.times.units import DAY_US

_COLUMNS: Final[Mapping[str, str]] = {
    "agent_id": "agent",
    "environment_id": "environment",
    "session_id": "session",
}
# One parameter may have up to 128 KiB of text, in which a character may take several bytes.
_PARAMETER_BYTES: Final = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What a query sees: the entries of an organization up to `seq`.

    `metrics` and `hidden` are those of its catalog then.
    """

    organization_id: int
    seq: int
    metrics: Mapping[str, KnownMetric]
    hidden: Sequence[HiddenPoints]


@dataclass(slots=True)
class Parameters:
    """The parameters of a statement, by the names that they are given."""

    values: dict[str, Parameter] = field(default_factory=dict)

    def bind(self, value: Parameter, kind: str) -> str:
        """Return what stands for a value in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def text(self, value: str) -> str:
        """Return what stands for a text."""
        return self.bind(value, "String")

    def is_one_of(self, expression: str, values: Sequence[str]) -> str:
        """Return the condition that an expression is one of some texts."""
        parts = [f"{expression} IN {self.bind(part, 'Array(String)')}" for part in _parts(values)]
        return f"({' OR '.join(parts)})" if parts else "false"

    def is_one_of_groups(
        self, expressions: Sequence[str], groups: Sequence[tuple[str, ...]]
    ) -> str:
        """Return the condition that some expressions together are one of some groups."""
        bound = [f"({', '.join(map(self.text, group))})" for group in groups]
        return f"(({', '.join(expressions)}) IN ({', '.join(bound)}))" if bound else "false"

    def label(self, key: str) -> str:
        """Return the expression of a label, "" for points without it."""
        return _COLUMNS.get(key) or f"tags[{self.text(key)}]"

    def matches(self, matcher: Matcher) -> str:
        """Return the condition that a point's label is what is asked for."""
        label = self.label(matcher.label)
        if matcher.operator.is_expression:
            condition = f"match({label}, {self.text(_whole(matcher.values[0]))})"
        elif matcher.operator.is_list:
            condition = self.is_one_of(label, matcher.values)
        else:
            condition = f"{label} = {self.text(matcher.values[0])}"
        return f"NOT {condition}" if matcher.operator.is_negative else condition

    def has_labels(self, filters: Sequence[tuple[str, str]]) -> list[str]:
        """Return the conditions that a point has these labels; "" for none."""
        return [f"{self.label(label)} = {self.text(value)}" for label, value in filters]

    def is_about(self, query: DeleteQuery | ExportQuery | HiddenPoints) -> str:
        """Return the condition that a point is in the range, of these metrics and labels."""
        conditions = [f"time_us >= {int(query.start_us)}", f"time_us < {int(query.end_us)}"]
        if query.metric_names is not None:
            conditions.append(self.is_one_of("metric", query.metric_names))
        conditions += map(self.matches, query.filters)
        if isinstance(query, HiddenPoints):
            conditions.append(f"seq <= {query.through}")
            if query.days is not None:
                days = ", ".join(map(str, query.days))
                conditions.append(f"intDiv(time_us, {DAY_US}) IN ({days})")
        return f"({' AND '.join(conditions)})"

    def is_seen_at(self, moment: Moment) -> str:
        """Return the condition that a row is a point of an organization, and is seen."""
        conditions = [
            f"organization = {moment.organization_id}",
            "metric != ''",
            f"seq <= {moment.seq}",
            *(f"NOT {self.is_about(each)}" for each in moment.hidden),
        ]
        return " AND ".join(conditions)


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    """Divide texts so that each part fits into a parameter."""
    part: list[str] = []
    size = 0
    for value in values:
        # A quote or a backslash is escaped.
        length = 2 * len(value.encode()) + 3
        if part and size + length > _PARAMETER_BYTES:
            yield part
            part, size = [], 0
        part.append(value)
        size += length
    if part:
        yield part


def _whole(expression: str) -> str:
    """Return an RE2 expression that matches whole values, as `Matcher.matches` does.

    There `.` matches no end of line, which it does in ClickHouse unless an option says otherwise.
    """
    closed = f"{expression}\\E" if _is_quoting(expression) else expression
    return f"(?-s)\\A(?:{closed})\\z"


def _is_quoting(expression: str) -> bool:
    r"""Whether an expression ends within `\Q`, whose quoting would go on behind it."""
    quoting, index = False, 0
    while index < len(expression) - 1:
        pair = expression[index : index + 2]
        if quoting and pair == "\\E":
            quoting, index = False, index + 1
        elif not quoting and pair[0] == "\\":
            quoting, index = pair == "\\Q", index + 1
        index += 1
    return quoting
