"""All queries of one moment see the same points, whatever is recorded or flushed meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from tests.conformance.custom_metrics.asking import (
    HOUR_US,
    START_US,
    Practice,
)
from tests.conformance.custom_metrics.factories import Subject
from tests.conformance.custom_metrics.samples import BATCHES, BOOKED, QUEUE, RANGE

from vumeter_server.custom_metrics.aggregation import Function, Statistic
from vumeter_server.custom_metrics.questions import FunctionOfMetric, Grouped, GroupedQuery
from vumeter_server.custom_metrics.store import AskGrouped
from vumeter_server.errors import InvalidArgument


def of(metric: str, kind: Statistic) -> FunctionOfMetric:
    return FunctionOfMetric(metric_name=metric, function=Function(kind))


SUM = of(BOOKED, Statistic.SUM)


def test_all_that_is_asked_at_one_moment_is_of_that_moment(subject: Subject) -> None:
    practice = Practice.of(subject)
    practice.record(*BATCHES[0])
    query = GroupedQuery(
        bounds_us=RANGE,
        columns=[SUM, of(BOOKED, Statistic.MAX), of(BOOKED, Statistic.SESSIONS)],
        group_by=["company_id"],
    )
    whole_day = GroupedQuery(
        bounds_us=(START_US - HOUR_US * 12, START_US + HOUR_US * 12),
        columns=[SUM, of(BOOKED, Statistic.MAX), of(QUEUE, Statistic.MIN)],
    )
    answers: list[Grouped] = []

    async def between() -> None:
        await practice.recording(*BATCHES[1])
        await subject.flush()

    async def ask_around_it() -> None:
        loop = asyncio.get_running_loop()

        def work(ask: AskGrouped) -> None:
            answers.extend([ask(query), ask(whole_day)])
            asyncio.run_coroutine_threadsafe(between(), loop).result()
            answers.extend([ask(query), ask(whole_day)])

        await subject.store.at_one_moment(practice.organization_id, work)

    subject.run(ask_around_it())
    before = [practice.table(each) for each in answers[:2]]
    assert [practice.table(each) for each in answers[2:]] == before
    # What was recorded meanwhile is there for whoever asks now.
    assert practice.grouped(query)[1] != before[0]
    assert practice.grouped(whole_day)[1] != before[1]


def test_what_is_raised_at_one_moment_reaches_the_caller(subject: Subject) -> None:
    practice = Practice.of(subject)

    def work(ask: AskGrouped) -> None:
        raise InvalidArgument("Narrow the range or the grouping")

    with pytest.raises(InvalidArgument, match="Narrow the range or the grouping"):
        subject.run(subject.store.at_one_moment(practice.organization_id, work))
