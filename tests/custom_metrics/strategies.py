"""Points and questions for hypothesis to choose from.

Everything of one example plays in one scene: a few days around something that goes wrong easily,
such as a change of clocks. Values are multiples of 1/4, so that sums are exact in any order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from tests.custom_metrics.oracle_ranges import load_zone

MetricType = str
Point = dict[str, Any]
Query = tuple[str, dict[str, str]]

PREFIX: Final = "/v1/custom-metrics/"
ZONES: Final = (
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
)
METRICS: Final[Mapping[str, MetricType]] = {
    "booking_attempt": "counter",
    "minutes_used": "counter",
    "queue_length": "gauge",
    "e2e_latency_ms": "histogram",
    "gen_ai.client:ttfb": "histogram",
}
AGENTS: Final = ("agent_xyz", "agent_abc")
ENVIRONMENTS: Final = ("production", "staging")
SESSIONS: Final = ("session_abc123", "session_東京", "session/1")
TAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "company_id": ("abc", "def", "1", "true"),
    "branch_id": ("branch-1", "branch-10", "branch-2", "Branch-1"),
    # By code point, but not by UTF-16, the half-width letter comes before the face.
    "origin": ("phone", "web", "café", "ｦ", "😀", 'quo"te\\', "two\nlines"),
    "zone": ("a", "b"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Some days, and instants in them at which mistakes are likely."""

    start: datetime
    end: datetime
    edges: tuple[datetime, ...]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SCENES: Final = (
    Scene(  # an ordinary week
        start=_utc("2025-04-01T00:00"),
        end=_utc("2025-04-08T00:00"),
        edges=(_utc("2025-04-01T18:30"), _utc("2025-04-02T18:15"), _utc("2025-04-03T00:00")),
    ),
    Scene(  # New York sets its clocks forward
        start=_utc("2025-03-07T00:00"),
        end=_utc("2025-03-12T00:00"),
        edges=(_utc("2025-03-09T05:00"), _utc("2025-03-09T07:00"), _utc("2025-03-10T04:00")),
    ),
    Scene(  # New York sets its clocks back
        start=_utc("2025-10-31T00:00"),
        end=_utc("2025-11-05T00:00"),
        edges=(_utc("2025-11-02T05:00"), _utc("2025-11-02T06:00"), _utc("2025-11-03T05:00")),
    ),
    Scene(  # Apia has no 30 December
        start=_utc("2011-12-28T00:00"),
        end=_utc("2012-01-02T00:00"),
        edges=(_utc("2011-12-29T10:00"), _utc("2011-12-30T10:00"), _utc("2011-12-31T10:00")),
    ),
    Scene(  # São Paulo skips a midnight, and Lord Howe changed by half an hour before
        start=_utc("2018-11-02T00:00"),
        end=_utc("2018-11-06T00:00"),
        edges=(_utc("2018-11-04T03:00"), _utc("2018-11-04T02:00"), _utc("2018-11-05T02:00")),
    ),
)


def instants(scene: Scene) -> st.SearchStrategy[datetime]:
    """Choose instants of a scene: near its edges, on quarters of an hour, or anywhere."""
    quarters = int((scene.end - scene.start) / timedelta(minutes=15))
    return st.one_of(
        st.tuples(st.sampled_from(scene.edges), st.sampled_from((-1, 0, 1))).map(
            lambda edge: edge[0] + timedelta(microseconds=edge[1])
        ),
        st.integers(0, quarters).map(lambda n: scene.start + timedelta(minutes=15) * n),
        st.integers(0, quarters * 900_000_000).map(
            lambda us: scene.start + timedelta(microseconds=us)
        ),
    )


def tags() -> st.SearchStrategy[dict[str, str]]:
    """Choose tags, some of them empty, which is the same as absent."""
    return st.fixed_dictionaries(
        {}, optional={key: st.sampled_from((*values, "")) for key, values in TAGS.items()}
    )


@st.composite
def points(draw: st.DrawFn, scene: Scene) -> Point:
    """Choose one point in the form of the REST body."""
    name = draw(st.sampled_from(tuple(METRICS)))
    kind = METRICS[name]
    point: Point = {"name": name, "type": kind, "timestamp": draw(instants(scene)).isoformat()}
    if kind == "counter":
        value = draw(st.one_of(st.none(), st.integers(0, 50), quarters(0, 50)))
        if value is not None:
            point["value"] = value
    else:
        point["value"] = draw(quarters(-1_000 if kind == "gauge" else 0, 5_000))
    for key, values in (
        ("agentId", AGENTS),
        ("environmentId", ENVIRONMENTS),
        ("sessionId", SESSIONS),
    ):
        chosen = draw(st.sampled_from((*values, "", None)))
        if chosen is not None:
            point[key] = chosen
    chosen_tags = draw(st.none() | tags())
    if chosen_tags is not None:
        point["tags"] = chosen_tags
    return point


def quarters(least: int, most: int) -> st.SearchStrategy[float]:
    """Choose multiples of 1/4."""
    return st.integers(least * 4, most * 4).map(lambda n: n / 4)


@st.composite
def bounds(draw: st.DrawFn, scene: Scene, zone: str) -> tuple[str, str]:
    """Choose startDate and endDate in any of the accepted forms, in order."""
    first, second = sorted((draw(instants(scene)), draw(instants(scene))))
    zone_info = load_zone(zone)
    form = draw(st.sampled_from(("date", "local", "utc", "offset", "space")))
    if form == "date":
        last = second.astimezone(zone_info) + timedelta(days=draw(st.integers(0, 2)))
        return first.astimezone(zone_info).date().isoformat(), last.date().isoformat()
    if form == "local":
        # Wall times of a repeated hour mean its first run, so these may turn round.
        walls = sorted(_wall(each, zone_info) for each in (first, second))
        return walls[0].isoformat(), walls[1].isoformat(sep=" ")
    if form == "utc":
        return tuple_of(each.isoformat().replace("+00:00", "Z") for each in (first, second))
    offset = timezone(timedelta(minutes=draw(st.sampled_from((-570, 0, 345, 480)))))
    texts = [each.astimezone(offset).isoformat() for each in (first, second)]
    return tuple_of(each.replace("+", " ") if form == "space" else each for each in texts)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def tuple_of(texts: Any) -> tuple[str, str]:
    """Return the two texts of an iterable."""
    first, second = texts
    return first, second


def filters() -> st.SearchStrategy[dict[str, str]]:
    """Choose agentId, environmentId and tags of a query, some of them empty or absent."""
    values = {**TAGS, "agent_id": AGENTS, "session_id": SESSIONS, "unknown": ("x",)}
    filtered = st.one_of(
        *(
            st.tuples(st.just(key), st.sampled_from((*choices, "")))
            for key, choices in values.items()
        )
    )
    tags_text = st.lists(filtered, max_size=2).map(lambda pairs: json.dumps(dict(pairs)))
    return st.fixed_dictionaries(
        {},
        optional={
            "agentId": st.sampled_from((*AGENTS, "", "agent_unknown")),
            "environmentId": st.sampled_from((*ENVIRONMENTS, "")),
            "tags": tags_text | st.sampled_from(("", '{"company_id": 1.0}', '{"company_id":true}')),
        },
    )


def metric_names() -> st.SearchStrategy[str]:
    """Choose a comma-separated list of metrics, with spaces and repeats."""
    names = st.lists(st.sampled_from((*METRICS, "unknown_metric")), min_size=1, max_size=4)
    return st.tuples(names, st.sampled_from((",", " , "))).map(
        lambda chosen: chosen[1].join(chosen[0])
    )


def groupings() -> st.SearchStrategy[str]:
    """Choose a comma-separated list of labels to group by."""
    labels = (*TAGS, "agent_id", "environment_id", "session_id", "unknown")
    return st.lists(st.sampled_from(labels), min_size=1, max_size=3).map(",".join)


@st.composite
def sums_queries(draw: st.DrawFn, scene: Scene) -> Query:
    """Choose a question to aggregate or daily."""
    endpoint = draw(st.sampled_from(("aggregate", "daily")))
    zone = draw(st.sampled_from(ZONES))
    start, end = draw(bounds(scene, zone))
    params = {"startDate": start, "endDate": end, "timezone": zone, **draw(filters())}
    if draw(st.booleans()):
        params["metricNames"] = draw(metric_names())
    if draw(st.booleans()):
        params["groupBy"] = draw(groupings())
    elif endpoint == "daily" and draw(st.booleans()):
        params["fill"] = "zero"
    return PREFIX + endpoint, params


@st.composite
def timeseries_queries(draw: st.DrawFn, scene: Scene) -> Query:
    """Choose a question to timeseries."""
    zone = draw(st.sampled_from(ZONES))
    start, end = draw(bounds(scene, zone))
    name = draw(st.sampled_from((*METRICS, "unknown_metric")))
    params = {"metricName": name, "startDate": start, "endDate": end, "timezone": zone}
    params |= draw(filters())
    step = draw(st.sampled_from((None, "", "5m", "15m", "1h", "1h7m30s", "1d", "2w")))
    if step is not None:
        params["step"] = step
    if METRICS.get(name) == "counter" and draw(st.booleans()):
        params["fill"] = "zero"
    return PREFIX + "timeseries", params


def discovery_queries() -> st.SearchStrategy[Query]:
    """Choose a question to names, tags or sessions."""
    agents = st.sampled_from((*AGENTS, "", "agent_unknown"))
    return st.one_of(
        st.tuples(
            st.just(PREFIX + "names"), st.fixed_dictionaries({}, optional={"agentId": agents})
        ),
        st.tuples(
            st.just(PREFIX + "tags"),
            st.fixed_dictionaries(
                {},
                optional={
                    "agentId": agents,
                    "metricName": st.sampled_from((*METRICS, "", "unknown_metric")),
                },
            ),
        ),
        st.sampled_from((*SESSIONS, "session_unknown")).map(
            lambda session: (PREFIX + "sessions/" + session, {})
        ),
    )


def queries(scene: Scene) -> st.SearchStrategy[Query]:
    """Choose a question to any of the six endpoints."""
    return st.one_of(sums_queries(scene), timeseries_queries(scene), discovery_queries())


def many_points(scene: Scene, count: int, seed: int) -> list[Point]:
    """Return more points of a scene than hypothesis would choose; for a seed always the same."""
    rng = random.Random(seed)
    length = (scene.end - scene.start) // timedelta(microseconds=1)
    chosen = []
    for _ in range(count):
        name = rng.choice(tuple(METRICS))
        moment = scene.start + timedelta(microseconds=rng.randrange(length))
        if rng.random() < 0.1:
            moment = rng.choice(scene.edges) + timedelta(microseconds=rng.choice((-1, 0, 1)))
        point: Point = {
            "name": name,
            "type": METRICS[name],
            "value": rng.randrange(4_000) / 4,
            "timestamp": moment.isoformat(),
            "agentId": rng.choice((*AGENTS, "")),
            "environmentId": rng.choice((*ENVIRONMENTS, "")),
            "sessionId": rng.choice((*SESSIONS, "")),
            "tags": {key: rng.choice(values) for key, values in TAGS.items() if rng.random() < 0.7},
        }
        chosen.append(point)
    return chosen


@st.composite
def recordings_with_queries(draw: st.DrawFn) -> tuple[list[list[Point]], list[Query]]:
    """Choose batches of points to record in turn, and questions to ask about them."""
    scene = draw(st.sampled_from(SCENES))
    batches = draw(st.lists(st.lists(points(scene), max_size=12), max_size=4))
    return batches, draw(st.lists(queries(scene), min_size=1, max_size=6))
