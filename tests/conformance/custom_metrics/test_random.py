"""Whatever is done in whatever order, every store answers as the oracle does."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.custom_metrics.asking import DAY_US, HOUR_US, Practice
from tests.conformance.custom_metrics.factories import (
    FACTORIES,
    NOON_US,
    RETENTION_DAYS,
    Factory,
    SteppedClock,
    memory,
)
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
from vumeter_server.custom_metrics.questions import (
    DeleteQuery,
    ExportQuery,
    FunctionOfMetric,
    GroupedQuery,
)
from vumeter_server.errors import VumeterError

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


def steps() -> st.SearchStrategy[Step]:
    """Choose something to do."""
    recorded = st.tuples(
        st.just("record"),
        st.sampled_from((0, 0, 1)),
        st.lists(points(), max_size=6),
        st.sampled_from(KEYS),
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


class Play:
    """A store with two organizations, to which steps are done."""

    def __init__(self, stack: contextlib.ExitStack, factory: Factory, path: Path) -> None:
        self._clock = SteppedClock(NOON_US)
        self.subject = stack.enter_context(factory(path, self._clock))
        self._practices = [Practice.of(self.subject, name) for name in ("Weber", "Okafor")]

    def do(self, step: Step) -> Any:
        """Do a step and return what is answered."""
        kind, *given = step
        try:
            return getattr(self, kind)(*given)
        except VumeterError as error:
            return type(error), [each.sentence for each in error.violations]

    def everything(self) -> list[Any]:
        """Return all that can be seen."""
        sessions = [each.session(name) for each in self._practices for name in SESSIONS]
        return [*(each.everything() for each in self._practices), *sessions]

    def record(self, number: int, chosen: Sequence[Callable[[int], Point]], key: str | None) -> int:
        now_us = self._clock.now_us
        made = [point(now_us) for point in chosen]
        return self._practices[number].record(*made, key=key, now_us=now_us)

    def check(self, chosen: Sequence[Callable[[int], Point]], key: str | None) -> int:
        return self._practices[0].check(*(point(NOON_US) for point in chosen), key=key)

    def flush(self) -> None:
        self.subject.run(self.subject.flush())

    def wait(self, microseconds: int) -> None:
        # When a store flushes may decide how long a day is kept: it does so before the clock moves.
        self.flush()
        self._clock.now_us += microseconds
        self.subject.run(self.subject.drop())

    def delete(self, metric: str) -> bool:
        return self._practices[0].delete(metric)

    def delete_points(
        self,
        ago: tuple[int, int] | None,
        metrics: Sequence[str] | None,
        filters: Sequence[Matcher],
    ) -> list[int]:
        query = DeleteQuery(metric_names=metrics, filters=filters)
        if ago is not None:
            start_us, end_us = self._range(ago)
            query = replace(query, start_us=start_us, end_us=end_us)
        practice = self._practices[0]
        # Counted and deleted, and again, which finds nothing.
        return [practice.count_points(query), *(practice.delete_points(query) for _ in range(2))]

    def export(
        self,
        ago: tuple[int, int] | None,
        metrics: Sequence[str] | None,
        filters: Sequence[Matcher],
        skip: int,
    ) -> Any:
        query = ExportQuery(metric_names=metrics, filters=filters, skip=skip)
        if ago is not None:
            start_us, end_us = self._range(ago)
            query = replace(query, start_us=start_us, end_us=end_us)
        return self._practices[0].export(query)

    def metrics(self) -> Any:
        return self._practices[0].metrics()

    def names(self, agent_id: str | None) -> Any:
        return self._practices[0].names(agent_id)

    def sums(
        self,
        ago: tuple[int, int],
        metrics: Sequence[str] | None,
        by: Sequence[str],
        chosen: Sequence[tuple[str, str]],
        cuts: Sequence[int],
    ) -> Any:
        start_us, end_us = self._range(ago)
        inner = sorted({self._clock.now_us - cut for cut in cuts})
        bounds = [start_us, *(cut for cut in inner if start_us < cut < end_us), end_us]
        return self._practices[0].sums(
            (start_us, end_us),
            metrics=metrics,
            by=by,
            filters=chosen,
            bounds_us=bounds if cuts else None,
        )

    def grouped(
        self,
        ago: tuple[int, int],
        cuts: Sequence[int],
        columns: Sequence[FunctionOfMetric],
        filters: Sequence[Matcher],
        by: Sequence[str],
        groups: Sequence[tuple[str, ...]] | None,
        has_rest: bool,
    ) -> Any:
        start_us, end_us = self._range(ago)
        inner = sorted({self._clock.now_us - cut for cut in cuts})
        query = GroupedQuery(
            bounds_us=[start_us, *(cut for cut in inner if start_us < cut < end_us), end_us],
            columns=columns,
            filters=filters,
            group_by=["company_id"] if groups is not None else by,
            groups=groups,
            has_rest=has_rest,
        )
        return self._practices[0].grouped(query)

    def timeseries(
        self,
        metric: str,
        step_us: int,
        ago: tuple[int, int],
        chosen: Sequence[tuple[str, str]],
        functions: Functions,
    ) -> Any:
        return self._practices[0].timeseries(
            metric, step_us, self._range(ago), filters=chosen, functions=functions
        )

    def tags(self, metric: str | None, agent_id: str | None, limit: int) -> Any:
        return self._practices[0].tags(metric, agent_id, limit)

    def session(self, session_id: str) -> Any:
        return self._practices[0].session(session_id)

    def _range(self, ago: tuple[int, int]) -> tuple[int, int]:
        # Until a moment after now, so that points without a time can be in it.
        return self._clock.now_us + 1 - ago[0], self._clock.now_us + 1 - ago[1]


OTHERS = {name: factory for name, factory in FACTORIES.items() if factory is not memory}


@pytest.mark.parametrize("factory", OTHERS.values(), ids=OTHERS.keys())
@given(st.lists(steps(), min_size=3, max_size=25))
@settings(deadline=None, max_examples=60)
def test_every_answer_is_the_oracles(factory: Factory, chosen: list[Step]) -> None:
    with contextlib.ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store, oracle = Play(stack, factory, path), Play(stack, memory, path)
        for number, step in enumerate(chosen):
            assert store.do(step) == oracle.do(step), f"step {number}: {step}"
        for _ in range(2):
            assert store.everything() == oracle.everything()
            assert store.subject.problems() == []
            store.flush()
