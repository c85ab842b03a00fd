"""Steps chosen at random: what can be done to a store of custom metrics, and asked of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US
from tests.conformance.custom_metrics.factories import RETENTION_DAYS
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.aggregation import (
    MEAN,
    OF_BUCKETS,
    P95,
    SUM,
    Function,
    Functions,
    Statistic,
)
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import FunctionOfMetric
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

Step = tuple[Any, ...]

METRICS = {"booking_attempt": "counter", "queue_length": "gauge", "ttft_ms": "histogram"}
TYPES = (None, "counter", "gauge", "histogram")
AGENTS = ("agent_1", "agent_2")
SESSIONS = ("session_1", "session_東京")
TAGS = {"company_id": ("abc", "def", "😀", "ｦ"), "origin": ("phone", "web")}
LABELS = (*TAGS, "agent_id", "session_id", "unknown")
OLDEST_DAYS = 2 * RETENTION_DAYS
KEYS = (None, None, "key_1", "key_2")

quarters = st.integers(0, 4_000).map(lambda n: n / 4)
# Before now: anything, near a whole quarter of an hour, or near a whole day.
moments = st.one_of(
    st.integers(0, OLDEST_DAYS * DAY_US),
    st.builds(
        lambda quarter, edge: quarter * HOUR_US // 4 + edge,
        st.integers(0, OLDEST_DAYS * 96),
        st.sampled_from((-1, 0, 1)),
    ),
    st.builds(
        lambda day, edge: day * DAY_US + edge,
        st.integers(0, OLDEST_DAYS),
        st.sampled_from((-1, 0, 1)),
    ),
)
filters = st.lists(
    st.one_of(
        *(
            st.tuples(st.just(key), st.sampled_from((*values, "")))
            for key, values in {**TAGS, "agent_id": AGENTS, "session_id": SESSIONS}.items()
        )
    ),
    max_size=2,
)


@st.composite
def points(draw: st.DrawFn) -> Callable[[int], Point]:
    """Choose a point that is made once now is known."""
    ago = draw(st.none() | moments)
    name = draw(st.sampled_from(tuple(METRICS)))
    # Mostly what suits the metric, since one point that does not is enough to reject a batch.
    is_odd = draw(st.integers(0, 15)) == 0
    chosen: dict[str, Any] = {
        "name": name,
        "type": draw(st.sampled_from(TYPES)) if is_odd else METRICS[name],
        "value": draw(quarters | st.sampled_from((None, -2.5)) if is_odd else quarters),
        "agent_id": draw(st.sampled_from((*AGENTS, None))),
        "session_id": draw(st.sampled_from((*SESSIONS, None))),
        "tags": draw(
            st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in TAGS.items()})
        ),
    }
    return lambda now_us: Point(timestamp=None if ago is None else now_us - ago, **chosen)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int]:
    """Choose how long ago a range begins and ends."""
    first, second = sorted((draw(moments), draw(moments)))
    return second, first


def queries() -> st.SearchStrategy[Step]:
    """Choose something to ask."""
    names = st.lists(st.sampled_from((*METRICS, "unknown")), unique=True, min_size=1)
    return st.one_of(
        st.tuples(st.just("names"), st.sampled_from((None, *AGENTS, "unknown"))),
        st.tuples(
            st.just("sums"),
            ranges(),
            st.none() | names,
            st.lists(st.sampled_from(LABELS), unique=True, max_size=3),
            filters,
            st.lists(moments, max_size=3),
        ),
        st.tuples(
            st.just("timeseries"),
            st.sampled_from((*METRICS, "unknown")),
            st.sampled_from((HOUR_US // 4, HOUR_US, 4_050_000_000, DAY_US, 14 * DAY_US)),
            ranges(),
            filters,
            st.sampled_from((OF_BUCKETS, Functions(counter=MEAN, gauge=P95, histogram=SUM))),
        ),
        st.tuples(
            st.just("tags"),
            st.sampled_from((None, *METRICS, "unknown")),
            st.sampled_from((None, *AGENTS)),
            st.integers(1, 4),
        ),
        st.tuples(st.just("session"), st.sampled_from((*SESSIONS, "unknown"))),
        st.tuples(st.just("metrics")),
    )


matchers = st.lists(
    st.one_of(
        *(
            st.one_of(
                st.builds(
                    lambda key, op, value: Matcher(key, op, (value,)),
                    st.just(key),
                    st.sampled_from((Operator.EQUAL, Operator.NOT_EQUAL)),
                    st.sampled_from((*values, "", "unknown")),
                ),
                st.builds(
                    lambda key, op, chosen: Matcher(key, op, tuple(chosen)),
                    st.just(key),
                    st.sampled_from((Operator.IN, Operator.NOT_IN)),
                    st.lists(st.sampled_from((*values, "", "unknown")), min_size=1, max_size=3),
                ),
                st.builds(
                    lambda key, op, value: Matcher(key, op, (value,)),
                    st.just(key),
                    st.sampled_from((Operator.MATCHES, Operator.NOT_MATCHES)),
                    st.sampled_from(("", ".*", ".*1|def", "[a-p].+", "😀|.*京都?")),
                ),
            )
            for key, values in {**TAGS, "agent_id": AGENTS, "session_id": SESSIONS}.items()
        )
    ),
    max_size=2,
)
functions = st.one_of(
    st.sampled_from([Function(kind) for kind in Statistic if kind is not Statistic.PERCENTILE]),
    st.sampled_from([Fraction(1, 10), Fraction(50), Fraction("99.9"), Fraction(100)]).map(
        lambda percent: Function(Statistic.PERCENTILE, percent)
    ),
)


def grouped_queries() -> st.SearchStrategy[Step]:
    """Choose functions by group and bucket to ask for."""
    columns = st.builds(
        lambda metric, function, chosen: FunctionOfMetric(
            metric_name=metric, function=function, filters=chosen
        ),
        st.sampled_from((*METRICS, "unknown")),
        functions,
        matchers,
    )
    groups = st.lists(
        st.tuples(*(st.sampled_from((*TAGS["company_id"], "")) for _ in range(1))), max_size=3
    )
    return st.tuples(
        st.just("grouped"),
        ranges().filter(lambda ago: ago[0] > ago[1]),
        st.lists(moments, max_size=3),
        st.lists(columns, min_size=1, max_size=4),
        matchers,
        st.lists(st.sampled_from(LABELS), unique=True, max_size=3),
        st.none() | groups,
        st.booleans(),
    )


def deletions() -> st.SearchStrategy[Step]:
    """Choose points to delete, of a range or of any time."""
    return st.tuples(
        st.just("delete_points"),
        st.none() | ranges(),
        st.none() | st.lists(st.sampled_from((*METRICS, "unknown")), min_size=1, max_size=2),
        matchers,
    )


def exports() -> st.SearchStrategy[Step]:
    """Choose points to export, of a range or of any time."""
    return st.tuples(
        st.just("export"),
        st.none() | ranges(),
        st.none() | st.lists(st.sampled_from((*METRICS, "unknown")), min_size=1, max_size=2),
        matchers,
        st.integers(0, 3),
    )


# Mostly none that is met, and few of each kind otherwise.
limits = st.just(DEFAULT_LIMITS) | st.builds(
    Limits,
    metrics=st.just(5_000) | st.integers(1, 3),
    label_sets=st.just(1_000_000) | st.integers(1, 8),
    label_values=st.just(100_000) | st.integers(1, 3),
)


def steps() -> st.SearchStrategy[Step]:
    """Choose something to do."""
    recorded = st.tuples(
        st.just("record"),
        st.sampled_from((0, 0, 1)),
        st.lists(points(), max_size=6),
        st.sampled_from(KEYS),
        limits,
    )
    return st.one_of(
        recorded,
        recorded,
        st.tuples(st.just("check"), st.lists(points(), max_size=3), st.sampled_from(KEYS)),
        queries(),
        queries(),
        grouped_queries(),
        deletions(),
        exports(),
        st.tuples(st.just("flush")),
        st.tuples(st.just("delete"), st.sampled_from(tuple(METRICS))),
        st.tuples(st.just("wait"), st.integers(1, 3 * DAY_US) | st.just(RETENTION_DAYS * DAY_US)),
    )
