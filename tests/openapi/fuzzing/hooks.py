"""What JSON Schema cannot say of a request, told to schemathesis: formats, and rules across fields.

Loaded by `SCHEMATHESIS_HOOKS`. Only requests that are meant to be valid are repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st
from tests.openapi.fuzzing import bodies

ZONES = ("UTC", "Asia/Singapore", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
# None is so short that a range of a year has more than 11,000 buckets.
STEPS = ("1h", "90m", "1d", "1w2d", "1h30m", "7200s", "3600000ms", "01h")
EXPRESSIONS = ("", "a.*", "phone|web", "[a-z]+", "(?i)x", ".{0,5}")

_moments = st.datetimes(datetime(2000, 1, 1), datetime(2026, 1, 1))
_dates = st.one_of(
    _moments.map(lambda moment: moment.date().isoformat()),
    _moments.map(lambda moment: moment.isoformat()),
    _moments.map(lambda moment: moment.isoformat() + "Z"),
    _moments.map(lambda moment: moment.isoformat(" ", "minutes") + "+05:30"),
)
_times = st.one_of(
    _moments.map(lambda moment: moment.isoformat() + "Z"),
    _moments.map(lambda moment: moment.isoformat(timespec="seconds") + "-08:00"),
)
FORMATS: Mapping[str, st.SearchStrategy[str]] = {
    "date-or-date-time": _dates,
    "date-time": _times,
    "iana-time-zone": st.sampled_from(ZONES),
    "step": st.sampled_from(STEPS),
    "re2": st.sampled_from(EXPRESSIONS),
}
for _name, _strategy in FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)

# An empty message of whatever type.
schemathesis.openapi.media_type("application/x-protobuf", st.just(b""))

BODIES: Mapping[str, Callable[[Any], None]] = {
    "/v1/custom-metrics": bodies.repair_points,
    "/v1/custom-metrics/query": bodies.repair_query,
    "/v1/custom-metrics/delete": bodies.repair_deletion,
    "/sdk/api/v1/simulation/calls": bodies.repair_calls,
    "/v1/metrics": bodies.repair_export,
    "/observability/metrics/otlp/v0": bodies.repair_export,
}


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave accepted watches out: each would be waited for until it is given up."""
    is_watch = case.operation.path == "/api/v1/metrics/watch"
    return not (is_watch and case.meta is not None and case.meta.generation.mode.is_positive)


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Make a request keep the rules across its fields."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if case.query is not None:
        _repair_query_string(case)
    if isinstance(case.body, dict):
        case.body = bodies.with_whole_numbers(case.body)
        repair = BODIES.get(case.operation.path)
        if repair is not None:
            repair(case.body)
    for part in (case.query, case.body):
        if isinstance(part, dict) and part.get("timezone"):
            part["timezone"] = part["timezone"] if part["timezone"] in ZONES else "UTC"
    return case


def _repair_query_string(case: Any) -> None:
    query = case.query
    if "startDate" in query and "endDate" in query:
        query["startDate"], query["endDate"] = bodies.ordered(query["startDate"], query["endDate"])
    if query.get("step") and query["step"] not in STEPS:
        query["step"] = STEPS[0]
    for name, most in (("groupBy", bodies.MOST_LABELS), ("metricNames", bodies.MOST_NAMES)):
        if query.get(name):
            query[name] = ",".join(query[name].split(",")[:most])
    if case.operation.path.endswith("/daily") and query.get("fill") and query.get("groupBy"):
        del query["fill"]
    if case.operation.path.endswith("/simulation/metrics") and not any(
        query.get(name) for name in ("run_test_name", "execution_id", "call_execution_id")
    ):
        query["run_test_name"] = "checkout"
