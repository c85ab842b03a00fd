"""A store to which the steps of `steps` are done."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.conformance.custom_metrics.asking import Practice
from tests.conformance.custom_metrics.factories import NOON_US, Factory, SteppedClock, memory
from tests.conformance.custom_metrics.steps import SESSIONS, Step
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.aggregation import Functions
from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.questions import (
    DeleteQuery,
    ExportQuery,
    FunctionOfMetric,
    GroupedQuery,
)
from vumeter_server.errors import VumeterError
from vumeter_server.runtime.limits import Limits


@contextlib.contextmanager
def beside_oracle(factory: Factory) -> Iterator[tuple[Play, Play]]:
    """Open a store, and the one in memory, which says what it has to answer."""
    with contextlib.ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield Play(stack, factory, path), Play(stack, memory, path)


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

    def record(
        self,
        number: int,
        chosen: Sequence[Callable[[int], Point]],
        key: str | None,
        limits: Limits,
    ) -> int:
        now_us = self._clock.now_us
        made = [point(now_us) for point in chosen]
        return self._practices[number].record(*made, key=key, now_us=now_us, limits=limits)

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
