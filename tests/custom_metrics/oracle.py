"""What the server must answer, worked out by brute force from a list of points.

Plain Python and the standard library only, nothing of the implementation: rules are written down
here a second time, in the slowest and most literal way. Parameters are those of the REST API,
answers what `json.loads` of its body must equal. Bad parameters are not its business, except for
the bounds on work, which depend on the points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.custom_metrics.oracle_ranges import (
    Params,
    days,
    microseconds,
    read_list,
    read_range,
    read_step,
    read_tags,
)


class Refused(Exception):
    """An answer that the contract bounds: 400."""


@dataclass(frozen=True)
class Recorded:
    """A point as it was stored; `labels` has the system labels too, and none that is empty."""

    name: str
    value: Fraction
    at_us: int
    labels: dict[str, str]

    def label(self, key: str) -> str:
        return self.labels.get(key, "")

    @property
    def tags(self) -> dict[str, str]:
        system = ("agent_id", "environment_id", "session_id")
        return {key: value for key, value in self.labels.items() if key not in system}


class Oracle:
    """Everything that was recorded for one organization, in order."""

    def __init__(self) -> None:
        self.points: list[Recorded] = []
        self.types: dict[str, str] = {}

    def record(self, points: Iterable[Mapping[str, Any]], now_us: int) -> None:
        """Store points in the form of the REST body; they keep the rules of recording."""
        for point in points:
            name = point["name"]
            self.types.setdefault(name, point.get("type") or "counter")
            at = point.get("timestamp")
            labels = {
                "agent_id": point.get("agentId") or "",
                "environment_id": point.get("environmentId") or "",
                "session_id": point.get("sessionId") or "",
                **(point.get("tags") or {}),
            }
            self.points.append(
                Recorded(
                    name=name,
                    value=Fraction(float(point.get("value", 1))),
                    at_us=now_us
                    if at is None
                    else microseconds(datetime.fromisoformat(at.upper())),
                    labels={key: value for key, value in labels.items() if value},
                )
            )

    def ask(self, path: str, params: Params) -> Any:
        """Answer a documented path."""
        endpoint = path.removeprefix("/v1/custom-metrics/")
        if endpoint.startswith("sessions/"):
            return self.session(endpoint.removeprefix("sessions/"))
        answers = {
            "names": self.names,
            "aggregate": self.aggregate,
            "daily": self.daily,
            "timeseries": self.timeseries,
            "tags": self.tags,
        }
        return answers[endpoint](params)

    def names(self, params: Params) -> Any:
        """GET names."""
        agent = params.get("agentId")
        return {
            "data": sorted(
                {p.name for p in self.points if not agent or p.label("agent_id") == agent}
            )
        }

    def aggregate(self, params: Params) -> Any:
        """GET aggregate."""
        start_us, end_us = read_range(params)
        asked, points = self._asked(params, start_us, end_us)
        group_by = read_list(params.get("groupBy"))
        if not group_by:
            check_cells(1, asked)
            return {"data": sums(points, asked)}
        rows = grouped_rows(points, asked, group_by)
        check_cells(len(rows), asked)
        return {"data": rows}

    def daily(self, params: Params) -> Any:
        """GET daily."""
        start_us, end_us = read_range(params)
        asked, points = self._asked(params, start_us, end_us)
        group_by = read_list(params.get("groupBy"))
        rows: list[dict[str, Any]] = []
        for day, day_start, day_end in days(start_us, end_us, params.get("timezone") or "UTC"):
            of_day = [p for p in points if day_start <= p.at_us < day_end]
            if group_by:
                for row in grouped_rows(of_day, asked, group_by):
                    rows.append({"date": day.isoformat(), **row})
            elif of_day or params.get("fill") == "zero":
                rows.append({"date": day.isoformat(), "metrics": sums(of_day, asked)})
        check_cells(len(rows), asked)
        return {"data": rows}

    def timeseries(self, params: Params) -> Any:
        """GET timeseries."""
        start_us, end_us = read_range(params)
        name = params["metricName"]
        step_us = read_step(params.get("step") or "1h")
        if -(-(end_us - start_us) // step_us) > 11_000:
            raise Refused
        kind = self.types.get(name, "counter")
        zeros = params.get("fill") == "zero"
        if zeros and kind != "counter":
            raise Refused
        points = [p for p in self._matching(params, start_us, end_us) if p.name == name]
        values = []
        if name in self.types and (points or zeros):
            bucket_us = start_us
            while bucket_us < end_us:
                bucket = [p for p in points if bucket_us <= p.at_us < bucket_us + step_us]
                if bucket:
                    values.append([seconds(bucket_us), text(typical(bucket, kind))])
                elif zeros:
                    values.append([seconds(bucket_us), "0"])
                bucket_us += step_us
        series = [{"metric": {"metric_name": name}, "values": values}] if values else []
        return {"data": {"resultType": "matrix", "result": series}}

    def tags(self, params: Params) -> Any:
        """GET tags."""
        found: dict[str, set[str]] = {}
        for point in self.points:
            if params.get("metricName") and point.name != params["metricName"]:
                continue
            if params.get("agentId") and point.label("agent_id") != params["agentId"]:
                continue
            for key, value in point.tags.items():
                found.setdefault(key, set()).add(value)
        return {"data": {key: sorted(found[key])[:1_000] for key in sorted(found)}}

    def session(self, session_id: str) -> Any:
        """GET sessions/{session_id}."""
        entries: dict[tuple[str, tuple[tuple[str, str], ...]], list[Recorded]] = {}
        for point in self.points:
            if point.label("session_id") == session_id:
                labels = {k: v for k, v in point.labels.items() if k != "session_id"}
                entries.setdefault((point.name, tuple(sorted(labels.items()))), []).append(point)
        result = []
        for (name, labels_of_entry), points in sorted(entries.items(), key=lambda entry: entry[0]):
            kind = self.types[name]
            last = max(points, key=lambda p: p.at_us)
            if kind == "gauge":
                # Of equal timestamps the one recorded last; max() returns the first.
                value = max(enumerate(points), key=lambda pair: (pair[1].at_us, pair[0]))[1].value
            else:
                value = typical(points, kind)
            metric = {"metric_name": name, **dict(labels_of_entry)}
            result.append({"metric": metric, "value": [seconds(last.at_us), text(value)]})
        return {"data": {"resultType": "vector", "result": result}}

    def _matching(self, params: Params, start_us: int, end_us: int) -> list[Recorded]:
        wanted = list(read_tags(params.get("tags")).items())
        for param, label in (("agentId", "agent_id"), ("environmentId", "environment_id")):
            if params.get(param):
                wanted.append((label, params[param]))
        return [
            point
            for point in self.points
            if start_us <= point.at_us < end_us
            and all(point.label(label) == value for label, value in wanted)
        ]

    def _asked(
        self, params: Params, start_us: int, end_us: int
    ) -> tuple[list[str], list[Recorded]]:
        points = self._matching(params, start_us, end_us)
        asked = read_list(params.get("metricNames")) or sorted({p.name for p in points})
        return asked, [p for p in points if p.name in asked]


def sums(points: Sequence[Recorded], asked: Sequence[str]) -> dict[str, int | float]:
    """Return the sum of each metric asked for."""
    return {name: number(total([p for p in points if p.name == name])) for name in asked}


def grouped_rows(
    points: Sequence[Recorded], asked: Sequence[str], group_by: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row a group, largest total first, then by label values."""
    groups: dict[tuple[str, ...], list[Recorded]] = {}
    for point in points:
        groups.setdefault(tuple(point.label(label) for label in group_by), []).append(point)
    ordered = sorted(groups.items(), key=lambda group: (-total(group[1]), group[0]))
    return [
        {**dict(zip(group_by, values, strict=True)), "metrics": sums(members, asked)}
        for values, members in ordered
    ]


def check_cells(rows: int, asked: Sequence[str]) -> None:
    """Refuse an answer of more than 100,000 cells."""
    if rows * len(asked) > 100_000:
        raise Refused


def total(points: Sequence[Recorded]) -> Fraction:
    """Return the exact sum of values."""
    return sum((p.value for p in points), Fraction(0))


def typical(points: Sequence[Recorded], kind: str) -> Fraction:
    """Return the sum of a counter, the mean of a gauge, the p95 of a histogram."""
    if kind == "counter":
        return total(points)
    if kind == "gauge":
        return total(points) / len(points)
    rank = -(-95 * len(points) // 100)
    return sorted(p.value for p in points)[rank - 1]


def number(value: Fraction) -> int | float:
    """Return a value as JSON has it."""
    nearest = float(value)
    if nearest.is_integer():
        return int(nearest)
    rounded = float(f"{nearest:.12g}")
    return int(rounded) if rounded.is_integer() else rounded


def text(value: Fraction) -> str:
    """Return a value as text has it."""
    nearest = float(value)
    if nearest.is_integer():
        return str(int(nearest))
    return format(Decimal(f"{nearest:.12g}"), "f")


def seconds(instant_us: int) -> int | float:
    """Return an instant in seconds since the epoch."""
    return instant_us // 1_000_000 if instant_us % 1_000_000 == 0 else instant_us / 1_000_000
