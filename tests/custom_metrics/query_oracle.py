"""What `POST /v1/custom-metrics/query` must answer, worked out by brute force.

As `oracle`, which it goes on from: plain Python, loops over points, nothing of the implementation.
Bodies are those of the REST API, and are taken to be well-formed.
"""

from __future__ import annotations

import ast
import math
import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.custom_metrics.oracle import Recorded, number, total
from tests.custom_metrics.oracle_ranges import (
    EPOCH,
    MICROSECOND,
    days,
    first_instant,
    load_zone,
    microseconds,
    read_range,
    read_step,
)

Body = Mapping[str, Any]
Value = float | None
Group = tuple[str, ...]
Bucket = tuple[int, int]
WORDS = ("day", "week", "month", "quarter", "year")
ZERO = ("sum", "count", "rate", "sessions")


@dataclass(frozen=True)
class Row:
    """Values by column, counts by metric; `exists` if some metric has a value."""

    values: dict[str, Value]
    counts: dict[str, int]
    exists: bool


def answer(points: Sequence[Recorded], body: Body) -> Any:
    """Answer a query."""
    question = Question(points, body)
    buckets = question.buckets()
    if not buckets:
        return {"data": {"rows": [], "groups": 0}}
    whole = [(buckets[0][0], buckets[-1][1])]
    ranked = question.ranked(whole[0])
    listed: list[Group | None] = list(ranked)
    others: set[Group] = set()
    if body.get("limit") and question.group_by:
        listed = list(ranked[: body["limit"]])
        others = question.all_groups() - set(ranked[: body["limit"]])
        if body.get("other"):
            listed.append(None)
    elif not question.group_by:
        listed = [()]
    members = {group: others if group is None else {group} for group in listed}
    earlier = question.earlier_buckets(len(buckets)) if body.get("compareTo") else []
    rows = []
    for index, bucket in enumerate(buckets):
        of_bucket = []
        for group in listed:
            row = question.row(bucket, members[group])
            anywhere = any(question.row(each, members[group]).exists for each in buckets)
            if row.exists or (body.get("fill") and anywhere):
                of_bucket.append((group, row))
        of_bucket.sort(key=lambda pair: question.rank(pair[0], pair[1]))
        for group, row in of_bucket:
            labels = group or (None,) * len(question.group_by)
            written = {
                "start": question.local(bucket[0]),
                "end": question.local(bucket[1]),
                "labels": dict(zip(question.group_by, labels, strict=True)),
                "values": printed(row.values),
                "counts": row.counts,
            }
            if body.get("compareTo"):
                before = earlier[index] if index < len(earlier) else None
                written["previous"] = printed(question.row(before, members[group]).values)
            rows.append(written)
    return {"data": {"rows": rows, "groups": len(ranked)}}


class Question:
    """A query and the points that it asks about."""

    def __init__(self, points: Sequence[Recorded], body: Body) -> None:
        self.points = points
        self.body = body
        self.zone = body.get("timezone") or "UTC"
        self.group_by = list(dict.fromkeys(body.get("groupBy") or ()))
        self.start_us, self.end_us = read_range(body)

    def all_groups(self) -> set[Group]:
        return {self.group_of(point) for point in self.points}

    def group_of(self, point: Recorded) -> Group:
        return tuple(point.label(label) for label in self.group_by)

    def row(self, bucket: Bucket | None, groups: set[Group]) -> Row:
        """Compute every column of some groups, taken as one, in a bucket."""
        values: dict[str, Value] = {}
        counts: dict[str, int] = {}
        for metric in self.body["metrics"]:
            filters = [*(self.body.get("filters") or ()), *(metric.get("filters") or ())]
            found = [
                point
                for point in self.points
                if bucket is not None
                and bucket[0] <= point.at_us < bucket[1]
                and point.name == metric["metric"]
                and self.group_of(point) in groups
                and all(holds(each, point.label(each["label"])) for each in filters)
            ]
            values[metric["as"]], counts[metric["as"]] = None, 0
            if found and bucket is not None:
                length = (bucket[1] - bucket[0]) / 1_000_000
                values[metric["as"]], counts[metric["as"]] = compute(metric, found, length)
        exists = any(value is not None for value in values.values())
        for metric in self.body["metrics"]:
            is_empty = values[metric["as"]] is None
            if is_empty and self.body.get("fill") == "zero" and metric["function"] in ZERO:
                values[metric["as"]] = 0.0
        for formula in self.body.get("formulas") or ():
            tree = ast.parse(formula["expression"].strip(), mode="eval").body
            of_metrics = {each["as"]: values[each["as"]] for each in self.body["metrics"]}
            values[formula["as"]] = evaluate(tree, of_metrics)
        return Row(values, counts, exists)

    def rank(self, group: Group | None, row: Row) -> tuple[bool, bool, float, Group]:
        """Return what rows of a bucket are sorted by."""
        order = self.body.get("orderBy") or "-" + self.body["metrics"][0]["as"]
        value = row.values[order.removeprefix("-")]
        size = 0.0 if value is None else -value if order.startswith("-") else value
        return group is None, value is None, size, group or ()

    def ranked(self, whole: Bucket) -> list[Group]:
        """Return the groups with a row, in order, over the whole range."""
        rows = [(group, self.row(whole, {group})) for group in self.all_groups()]
        there = [(group, row) for group, row in rows if row.exists]
        return [group for group, row in sorted(there, key=lambda pair: self.rank(*pair))]

    def buckets(self) -> list[Bucket]:
        return self.buckets_of(self.start_us, self.end_us)

    def buckets_of(self, start_us: int, end_us: int) -> list[Bucket]:
        step = self.body.get("step")
        if start_us >= end_us:
            return []
        if not step:
            return [(start_us, end_us)]
        if step in WORDS:
            units: dict[Any, Bucket] = {}
            for day, day_start_us, day_end_us in days(start_us, end_us, self.zone):
                unit = unit_of(day, step)
                units[unit] = (units.get(unit, (day_start_us, 0))[0], day_end_us)
            return list(units.values())
        step_us, found = read_step(step), []
        while start_us < end_us:
            found.append((start_us, min(start_us + step_us, end_us)))
            start_us += step_us
        return found

    def earlier_buckets(self, count: int) -> list[Bucket]:
        """Return the buckets that `count` buckets are compared with."""
        step, compared = self.body.get("step"), self.body["compareTo"]
        if compared != "previous":
            per = 7 if compared[-1] == "w" else 1
            back = int(compared[:-1]) * per
            bounds = [self.moved(each, days=back) for each in (self.start_us, self.end_us)]
        elif step in WORDS:
            months = {"month": 1, "quarter": 3, "year": 12}.get(step, 0) * count
            back = {"day": 1, "week": 7}.get(step, 0) * count
            bounds = [
                self.moved(each, days=back, months=months) for each in (self.start_us, self.end_us)
            ]
        else:
            bounds = [self.start_us - (self.end_us - self.start_us), self.start_us]
        return self.buckets_of(bounds[0], bounds[1])

    def moved(self, instant_us: int, *, days: int = 0, months: int = 0) -> int:
        """Return the instant at the same time of day so much earlier."""
        moment = (EPOCH + instant_us * MICROSECOND).astimezone(load_zone(self.zone))
        wall = moment.replace(tzinfo=None, fold=0) - timedelta(days=days)
        day = wall.day
        for _ in range(months):
            wall = wall.replace(day=1) - timedelta(days=1)
        if months:
            wall = wall.replace(day=min(day, monthrange(wall.year, wall.month)[1]))
        return microseconds(first_instant(wall, self.zone))

    def local(self, instant_us: int) -> str:
        """Print an instant in the query's zone."""
        moment = (EPOCH + instant_us * MICROSECOND).astimezone(load_zone(self.zone))
        return re.sub(r"(\.\d+?)0+(?=[+-])", r"\1", moment.isoformat())


def unit_of(day: date, step: str) -> tuple[int, ...]:
    """Return what all days of one unit have in common."""
    if step == "week":
        return day.isocalendar()[:2]
    return {
        "day": (day.year, day.month, day.day),
        "month": (day.year, day.month),
        "quarter": (day.year, (day.month - 1) // 3),
        "year": (day.year,),
    }[step]


def holds(each: Body, value: str) -> bool:
    """Say whether a filter holds for the value of its label."""
    match each["op"]:
        case "=":
            return bool(value == each["value"])
        case "!=":
            return bool(value != each["value"])
        case "in":
            return value in each["values"]
        case "not in":
            return value not in each["values"]
        case "=~":
            return re.fullmatch(each["value"], value) is not None
    return re.fullmatch(each["value"], value) is None


def compute(metric: Body, points: Sequence[Recorded], seconds: float) -> tuple[float, int]:
    """Return the value of a function of at least one point, and the count behind it."""
    values = sorted(point.value for point in points)
    match metric["function"]:
        case "sum":
            found = total(points)
        case "count":
            found = Fraction(len(points))
        case "rate":
            return float(total(points)) / seconds, len(points)
        case "mean":
            found = total(points) / len(points)
        case "min":
            found = values[0]
        case "max":
            found = values[-1]
        case "last":
            found = sorted(points, key=lambda point: point.at_us)[-1].value
        case "percentile":
            rank = math.ceil(Fraction(Decimal(str(metric["percentile"]))) * len(values) / 100)
            found = values[rank - 1]
        case _:
            sessions = {point.label("session_id") for point in points} - {""}
            return float(len(sessions)), len(sessions)
    return float(found), len(points)


def evaluate(tree: ast.expr, values: Mapping[str, Value]) -> Value:
    """Compute a formula."""
    match tree:
        case ast.Constant(value=int() | float() as constant):
            return float(constant)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = evaluate(operand, values)
            return None if value is None else -value
        case ast.BinOp(left=left, op=op, right=right):
            first, second = evaluate(left, values), evaluate(right, values)
            if first is None or second is None:
                return None
            match op:
                case ast.Add():
                    found = first + second
                case ast.Sub():
                    found = first - second
                case ast.Mult():
                    found = first * second
                case _:
                    if second == 0:
                        return None
                    found = first / second
            return found if math.isfinite(found) else None
    raise AssertionError(ast.dump(tree))


def printed(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return values as JSON has them."""
    return {
        name: None if value is None else number(Fraction(value)) for name, value in values.items()
    }
