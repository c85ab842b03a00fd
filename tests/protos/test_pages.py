"""Every list in pages: together they are what one answer without a page size holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from tests.stack import Stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter.live_metrics.v1 import live_metrics_pb2 as live
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

NOON = "2025-04-01T12:00:00Z"
COMPANIES = 1_205
METRICS = [f"metric_{number:02}" for number in range(7)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The typed services, with what an organization of its own has to show."""

    custom: Any
    live: Any
    key: tuple[tuple[str, str], ...]
    token: tuple[tuple[str, str], ...]

    def ask(self, method: str, request: Message) -> Any:
        return getattr(self.custom, method)(request, metadata=self.key)

    def capacity(self, request: live.GetCapacityRequest) -> live.GetCapacityResponse:
        answer: live.GetCapacityResponse = self.live.GetCapacity(request, metadata=self.token)
        return answer


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Iterator[Caller]:
    key = stack.make_key("pages")
    with grpc.insecure_channel(stack.grpc_target) as channel:
        made = Caller(
            custom=CustomMetricsServiceStub(channel),
            live=LiveMetricsServiceStub(channel),
            key=(("authorization", f"Bearer {key.key_id}.{key.secret}"),),
            token=(("x-admin-token", stack.admin_token),),
        )
        record(made)
        yield made


def record(caller: Caller) -> None:
    request = pb.RecordPointsRequest()
    for number in range(COMPANIES):
        point = request.points.add(name=METRICS[number % 7], value=number % 5)
        point.occur_time.FromJsonString(f"2025-04-0{number % 3 + 1}T12:00:00Z")
        point.tags["company_id"] = f"company_{number:04}"
        point.tags["origin"] = ("phone", "web", "web_chat")[number % 3]
    for name in METRICS:
        for agent in ("a", "b"):
            point = request.points.add(name=name, session_id="session_1", agent_id=agent)
            point.occur_time.FromJsonString(NOON)
            point.tags["origin"] = "phone"
    caller.ask("RecordPoints", request)


def selection() -> pb.Selection:
    made = pb.Selection()
    made.start_time.FromJsonString("2025-04-01T00:00:00Z")
    made.end_time.FromJsonString("2025-04-04T00:00:00Z")
    return made


def pages(caller: Caller, method: str, request: Any, size: int) -> list[Any]:
    """Ask for page after page; assert that no token leads back."""
    request.page_size = size
    answers, tokens = [], set()
    while True:
        answers.append(caller.ask(method, request))
        request.page_token = answers[-1].next_page_token
        if not request.page_token:
            return answers
        assert request.page_token not in tokens
        tokens.add(request.page_token)


LISTS: dict[str, tuple[str, Callable[[], Any], str]] = {
    "names": ("ListMetricNames", pb.ListMetricNamesRequest, "names"),
    "names of an agent": (
        "ListMetricNames",
        lambda: pb.ListMetricNamesRequest(agent_id="a"),
        "names",
    ),
    "a session": (
        "GetSessionMetrics",
        lambda: pb.GetSessionMetricsRequest(session_id="session_1"),
        "metrics",
    ),
    "totals": (
        "AggregateMetrics",
        lambda: pb.AggregateMetricsRequest(selection=selection(), group_by=["company_id"]),
        "rows",
    ),
    "days": ("ListDailyMetrics", lambda: pb.ListDailyMetricsRequest(selection=selection()), "rows"),
    "days by label": (
        "ListDailyMetrics",
        lambda: pb.ListDailyMetricsRequest(selection=selection(), group_by=["origin", "agent_id"]),
        "rows",
    ),
}


@pytest.mark.parametrize("size", [1, 2, 3, 10_000])
@pytest.mark.parametrize("what", LISTS)
def test_the_pages_of_a_list_are_the_whole_list(what: str, size: int, caller: Caller) -> None:
    method, request, field = LISTS[what]
    whole = caller.ask(method, request())
    assert whole.next_page_token == ""
    expected = list(getattr(whole, field))
    assert len(expected) > 2
    # The many rows of totals come in pages of some hundred.
    size = min(size * 400, 100_000) if len(expected) > 100 else size
    answers = pages(caller, method, request(), size)
    assert [len(getattr(each, field)) for each in answers[:-1]] == [size] * (len(answers) - 1)
    assert [entry for each in answers for entry in getattr(each, field)] == expected


def test_all_values_of_a_key_come_in_pages_though_it_has_more_than_a_thousand(
    caller: Caller,
) -> None:
    answers = pages(caller, "ListTags", pb.ListTagsRequest(key="company_id"), 500)
    values = [list(each.tags["company_id"].values) for each in answers]
    assert [len(each) for each in values] == [500, 500, 205]
    assert [each.tags["company_id"].truncated for each in answers] == [True, True, False]
    assert [value for page in values for value in page] == [
        f"company_{number:04}" for number in range(COMPANIES)
    ]
    assert all(list(each.tags) == ["company_id"] for each in answers)


def test_a_key_alone_is_answered_with_its_first_thousand_values_and_where_to_go_on(
    caller: Caller,
) -> None:
    first = caller.ask("ListTags", pb.ListTagsRequest(key="company_id"))
    assert len(first.tags["company_id"].values) == 1_000
    assert first.tags["company_id"].truncated
    rest = pb.ListTagsRequest(key="company_id", page_token=first.next_page_token)
    assert len(caller.ask("ListTags", rest).tags["company_id"].values) == 205


def test_tags_without_anything_asked_are_the_first_thousand_values_of_every_key(
    caller: Caller,
) -> None:
    answer = caller.ask("ListTags", pb.ListTagsRequest())
    assert len(answer.tags["company_id"].values) == 1_000
    assert answer.tags["company_id"].truncated
    assert answer.tags["origin"] == pb.TagValues(values=["phone", "web", "web_chat"])
    assert answer.next_page_token == ""


def test_the_pages_of_all_keys_go_on_by_key_and_then_by_value(caller: Caller) -> None:
    answers = pages(caller, "ListTags", pb.ListTagsRequest(), 603)
    assert [
        {key: (len(each.tags[key].values), each.tags[key].truncated) for key in each.tags}
        for each in answers
    ] == [
        {"company_id": (603, True)},
        {"company_id": (602, False), "origin": (1, True)},
        {"origin": (2, False)},
    ]


def test_a_prefix_narrows_the_values(caller: Caller) -> None:
    answer = caller.ask("ListTags", pb.ListTagsRequest(prefix="web"))
    assert dict(answer.tags) == {"origin": pb.TagValues(values=["web", "web_chat"])}
    answer = caller.ask("ListTags", pb.ListTagsRequest(key="company_id", prefix="company_12"))
    assert list(answer.tags["company_id"].values) == [f"company_12{n:02}" for n in range(5)]
    answer = caller.ask("ListTags", pb.ListTagsRequest(key="company_id", prefix="Company"))
    assert answer == pb.ListTagsResponse()


def test_tags_in_pages_keep_to_the_metric_and_the_agent(caller: Caller) -> None:
    of_metric = pb.ListTagsRequest(metric_name=METRICS[0], key="company_id", page_size=10_000)
    answer = caller.ask("ListTags", of_metric)
    assert list(answer.tags["company_id"].values) == [
        f"company_{number:04}" for number in range(0, COMPANIES, 7)
    ]
    of_agent = pb.ListTagsRequest(agent_id="a", page_size=10)
    assert dict(caller.ask("ListTags", of_agent).tags) == {"origin": pb.TagValues(values=["phone"])}
    # Labels of the system are no tags, whichever way they are asked for.
    assert caller.ask("ListTags", pb.ListTagsRequest(key="agent_id")) == pb.ListTagsResponse()
    assert caller.ask("ListTags", pb.ListTagsRequest(metric_name="no", key="x")).tags == {}


def test_a_page_of_totals_is_the_largest_groups(caller: Caller) -> None:
    request = pb.AggregateMetricsRequest(
        selection=selection(), group_by=["company_id"], page_size=3
    )
    rows = caller.ask("AggregateMetrics", request).rows
    assert [sum(row.metrics.values()) for row in rows] == [14.0, 4.0, 4.0]
    assert rows[1].labels["company_id"] == "company_0004"


@pytest.mark.parametrize("size", [1, 2, 5, 1_000])
def test_the_lists_of_calls_come_in_pages_one_behind_the_other(
    size: int, stack: Stack, caller: Caller
) -> None:
    request = live.RecordEventsRequest()
    kinds = (live.EVENT_TYPE_STARTED, live.EVENT_TYPE_ACCEPTED, live.EVENT_TYPE_PENDING)
    for number in range(7):
        event = request.events.add(
            event_id=f"pages-{number}",
            call_id=f"pages-{number}",
            tenant_id="pages",
            type=kinds[number % 3],
        )
        event.occur_time.FromJsonString(NOON)
    caller.live.RecordEvents(request, metadata=caller.token)
    whole = caller.capacity(live.GetCapacityRequest())
    assert whole.next_page_token == ""
    parts = live.GetCapacityResponse()
    asked = live.GetCapacityRequest(page_size=size)
    while True:
        answer = caller.capacity(asked)
        held = len(answer.active_calls) + len(answer.accepted_calls) + len(answer.pending_calls)
        assert held == size or not answer.next_page_token
        parts.MergeFrom(answer)
        asked.page_token = answer.next_page_token
        if not asked.page_token:
            break
    parts.next_page_token = ""
    assert parts == whole
    assert [call.call_id for call in whole.pending_calls if call.tenant_id == "pages"] == [
        "pages-2",
        "pages-5",
    ]


WRONG: dict[str, tuple[str, Message]] = {
    "page_size": ("ListMetricNames", pb.ListMetricNamesRequest(page_size=10_001)),
    "page_size of tags": ("ListTags", pb.ListTagsRequest(page_size=-1)),
    "page_token": ("ListTags", pb.ListTagsRequest(page_token="abc")),
    "page_token of a session": (
        "GetSessionMetrics",
        pb.GetSessionMetricsRequest(session_id="s", page_token="e30="),
    ),
    "page_token of days": (
        "ListDailyMetrics",
        pb.ListDailyMetricsRequest(selection=selection(), page_token="W10="),
    ),
    "page_token of totals": (
        "AggregateMetrics",
        pb.AggregateMetricsRequest(selection=selection(), page_token="W10="),
    ),
    "key": ("ListTags", pb.ListTagsRequest(key="k" * 129)),
    "prefix": ("ListTags", pb.ListTagsRequest(key="k", prefix="p" * 257)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_about_a_page_is_named(what: str, caller: Caller) -> None:
    method, request = WRONG[what]
    with pytest.raises(grpc.RpcError) as raised:
        caller.ask(method, request)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (raised.value.details() or "").startswith(f"{what.partition(' ')[0]} must ")


def test_a_token_of_other_parameters_is_rejected(caller: Caller) -> None:
    token = caller.ask("ListTags", pb.ListTagsRequest(page_size=1)).next_page_token
    with pytest.raises(grpc.RpcError) as raised:
        caller.ask("ListTags", pb.ListTagsRequest(page_size=1, prefix="web", page_token=token))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == (
        "page_token must be the next_page_token of an answer to the same request"
    )
