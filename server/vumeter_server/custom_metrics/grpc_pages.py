"""Pages of the typed lists whose entries are not in the order of a position of their own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.api.page_tokens import Page, asked_page
from vumeter_server.custom_metrics.aggregation import MAX_CELLS, MAX_TAG_VALUES
from vumeter_server.custom_metrics.query import Queries
from vumeter_server.custom_metrics.questions import SessionMetric, TagValuesQuery

MAX_ENTRIES: Final = 10_000


def page_of_aggregate(request: pb.AggregateMetricsRequest) -> Page:
    """Return the page asked for: its position is how many rows came before it."""
    return asked_page(request, (int,), most=MAX_CELLS)


def page_of_daily(request: pb.ListDailyMetricsRequest) -> Page:
    """Return the page asked for: its position is a day, and how many of its rows came before."""
    return asked_page(request, (int, int), most=MAX_CELLS)


def rows_of_aggregate(page: Page, count: int) -> tuple[slice, str]:
    """Return which of `count` rows are on the page, and the token of the next one or ""."""
    start = _within(page.after[0], 0, count) if page.after else 0
    end = _end(page, start, count)
    return slice(start, end), page.next_token(end) if end < count else ""


def rows_of_daily(page: Page, days: Sequence[int]) -> tuple[slice, str]:
    """Return which rows are on the page, and the token of the next one or "".

    `days` are the days of all rows, ascending.
    """
    start = 0
    if page.after:
        day, shown = page.after
        first = bisect_left(days, day)
        start = _within(first + shown, first, bisect_right(days, day))
    end = _end(page, start, len(days))
    if end == len(days):
        return slice(start, end), ""
    last = days[end - 1]
    return slice(start, end), page.next_token(last, end - bisect_left(days, last))


def _within(number: int, least: int, most: int) -> int:
    return max(least, min(number, most))


def _end(page: Page, start: int, count: int) -> int:
    return count if page.size is None else min(start + page.size, count)


def position_of_session_metric(metric: SessionMetric) -> tuple[str, ...]:
    """Return what a session's metrics are sorted by: the name, then keys and values of labels."""
    labels = (text for label in sorted(metric.labels.items()) for text in label)
    return (metric.metric_name, *labels)


async def list_tags(
    queries: Queries, organization_id: int, request: pb.ListTagsRequest
) -> pb.ListTagsResponse:
    """Return a page of pairs of key and value; or, if nothing says which, the first of each key."""
    page = asked_page(request, (str, str), most=MAX_ENTRIES)
    narrowed = request.key or request.prefix
    if page.size is None and page.after is None and not narrowed:
        tags = await queries.tags(organization_id, request.metric_name, request.agent_id)
        return pb.ListTagsResponse(
            tags={
                key: pb.TagValues(values=each.values, truncated=each.truncated)
                for key, each in tags.items()
            }
        )
    size = page.size or MAX_TAG_VALUES
    query = TagValuesQuery(
        metric_name=request.metric_name or None,
        agent_id=request.agent_id or None,
        key=request.key or None,
        prefix=request.prefix,
        after=_pair(page.after) if page.after else None,
        # One more than the page holds says whether there is a next one.
        limit=size + 1,
    )
    return _tags(page, await queries.tag_values(organization_id, query), size)


def _pair(position: tuple[Any, ...]) -> tuple[str, str]:
    key, value = position
    return key, value


def _tags(page: Page, pairs: Sequence[tuple[str, str]], size: int) -> pb.ListTagsResponse:
    answer = pb.ListTagsResponse()
    for key, value in pairs[:size]:
        answer.tags[key].values.append(value)
    if len(pairs) > size:
        last, following = pairs[size - 1], pairs[size]
        answer.next_page_token = page.next_token(*last)
        answer.tags[last[0]].truncated = following[0] == last[0]
    return answer


async def list_metrics(
    queries: Queries, organization_id: int, request: pb.ListMetricsRequest
) -> pb.ListMetricsResponse:
    """Answer a page of metrics."""
    page = asked_page(request, (str,), most=MAX_ENTRIES)
    metrics = await queries.metrics(organization_id)
    shown, next_page_token = page.of(metrics, lambda metric: (metric.name,))
    return pb.ListMetricsResponse(
        metrics=[
            pb.Metric(
                name=metric.name,
                type=pb.MetricType.Name(metric.type),
                unit=metric.unit,
                description=metric.description,
            )
            for metric in shown
        ],
        next_page_token=next_page_token,
    )
