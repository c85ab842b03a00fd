"""What `vumeter simulation gate` prints: tables for people, Markdown for comments, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter_server.commands.tables import text_table

WITHIN, WORSE, NOT_COMPARED = 0, 1, 2

_VERDICTS = {
    pb.VERDICT_BETTER: "better",
    pb.VERDICT_WORSE: "worse",
    pb.VERDICT_SAME: "same",
    pb.VERDICT_UNKNOWN: "unknown",
}
_OUTCOMES = {
    pb.THRESHOLD_OUTCOME_WITHIN: "within",
    pb.THRESHOLD_OUTCOME_EXCEEDED: "exceeded",
    pb.THRESHOLD_OUTCOME_UNKNOWN: "unknown",
}
_BETTER = {pb.BETTER_LOWER: "lower", pb.BETTER_HIGHER: "higher"}
_SUMMARIES = {
    WITHIN: "within the limits",
    WORSE: "worse than allowed",
    NOT_COMPARED: "could not be compared",
}
_STATUSES = {WITHIN: "within", WORSE: "worse", NOT_COMPARED: "not_compared"}

Row = Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A comparison, and the exit status that it comes to."""

    status: int
    compared: pb.CompareExecutionsResponse

    @property
    def sides(self) -> Sequence[tuple[str, pb.ExecutionMetrics]]:
        """The two executions, each with what it is here."""
        return (("baseline", self.compared.baseline), ("candidate", self.compared.candidate))


def report(judged: Judged, output_format: str) -> str:
    """Return the report as `text`, `json` or `markdown`, without the last newline."""
    if output_format == "json":
        return orjson.dumps(_record(judged)).decode()
    return _markdown(judged) if output_format == "markdown" else _text(judged)


def _text(judged: Judged) -> str:
    compared = judged.compared
    parts = [
        text_table(
            [
                (side, each.execution_id, each.run_test_name, f"{each.calls.total} calls")
                for side, each in judged.sides
            ],
            left_columns=(0, 1, 2),
        ),
        text_table(
            [
                ("metric", "baseline", "candidate", "difference", "", "verdict"),
                *(_metric_row(row) for row in compared.metrics),
            ],
            left_columns=(0, 5),
        ),
    ]
    if compared.thresholds:
        parts.append(
            text_table(
                [
                    ("limit", "", "comes to", "candidate", "outcome"),
                    *(_limit_row(result) for result in compared.thresholds),
                ],
                left_columns=(0, 1, 4),
            )
        )
    return "\n\n".join([*parts, _SUMMARIES[judged.status]])


def _markdown(judged: Judged) -> str:
    compared = judged.compared
    title = _escaped(compared.candidate.run_test_name)
    parts = [
        f"### {title}: {_SUMMARIES[judged.status]}",
        _markdown_table(
            ("", "execution", "run test", "calls:", "failed:"),
            [
                (
                    side,
                    f"`{each.execution_id}`",
                    _escaped(each.run_test_name),
                    str(each.calls.total),
                    str(each.failed_calls),
                )
                for side, each in judged.sides
            ],
        ),
    ]
    if compared.thresholds:
        parts.append(
            _markdown_table(
                ("limit", "", "comes to:", "candidate:", "outcome"),
                [
                    (f"`{metric}`", limit, number, candidate, _strong(outcome, "exceeded"))
                    for metric, limit, number, candidate, outcome in map(
                        _limit_row, compared.thresholds
                    )
                ],
            )
        )
    parts.append(
        _markdown_table(
            ("metric", "baseline:", "candidate:", "difference:", "%:", "verdict"),
            [
                (f"`{metric}`", *values, _strong(verdict, "worse"))
                for metric, *values, verdict in map(_metric_row, compared.metrics)
            ],
        )
    )
    return "\n\n".join(parts)


def _markdown_table(columns: Row, rows: Sequence[Row]) -> str:
    """Return a table; a column whose name ends with a colon is flush right."""
    lines = [
        [name.removesuffix(":") for name in columns],
        ["---:" if name.endswith(":") else "---" for name in columns],
        *rows,
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return a name so that nothing in it is Markdown or HTML; the characters stay to be read."""
    marks = r"\`*_{}[]()<>#+-.!|~&@"
    return "".join(f"\\{each}" if each in marks else each for each in text)


def _strong(text: str, alarming: str) -> str:
    return f"**{text}**" if text == alarming else text


def _record(judged: Judged) -> dict[str, Any]:
    return {
        "status": _STATUSES[judged.status],
        **{
            side: {
                "execution_id": each.execution_id,
                "run_test_name": each.run_test_name,
                "calls": each.calls.total,
                "failed_calls": each.failed_calls,
            }
            for side, each in judged.sides
        },
        "metrics": [
            {
                "metric": row.metric,
                **{
                    name: getattr(row, name) if row.HasField(name) else None
                    for name in ("baseline", "candidate", "difference", "difference_percent")
                },
                "better": _BETTER[row.better],
                "verdict": _VERDICTS[row.verdict],
            }
            for row in judged.compared.metrics
        ],
        "limits": [
            {
                "metric": result.threshold.metric,
                "bound": result.threshold.WhichOneof("limit"),
                "number": _bound(result.threshold)[1],
                "limit": result.limit if result.HasField("limit") else None,
                "candidate": result.candidate if result.HasField("candidate") else None,
                "outcome": _OUTCOMES[result.outcome],
            }
            for result in judged.compared.thresholds
        ],
    }


def _metric_row(row: pb.ComparedMetric) -> Row:
    return (
        row.metric,
        _number(row.baseline) if row.HasField("baseline") else "-",
        _number(row.candidate) if row.HasField("candidate") else "-",
        _number(row.difference, signed=True) if row.HasField("difference") else "-",
        f"{row.difference_percent:+.2f}%" if row.HasField("difference_percent") else "",
        _VERDICTS[row.verdict],
    )


def _limit_row(result: pb.ThresholdResult) -> Row:
    bound, number = _bound(result.threshold)
    side, _, kind = bound.partition("_")
    shown = _number(number, signed=kind != "value") + ("%" if kind == "change_percent" else "")
    return (
        result.threshold.metric,
        f"{side} {shown}",
        _number(result.limit) if result.HasField("limit") else "-",
        _number(result.candidate) if result.HasField("candidate") else "-",
        _OUTCOMES[result.outcome],
    )


def _bound(threshold: pb.Threshold) -> tuple[str, float]:
    bound = threshold.WhichOneof("limit") or ""
    return bound, getattr(threshold, bound)


def _number(value: float, *, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.12g}"
