"""The lists of calls as a message: the three of them one behind the other, in pages."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Final

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.api.page_tokens import Page, asked_page
from vumeter_server.live_metrics.live_view import Capacity

MAX_CALLS: Final = 10_000


def page_of_capacity(request: pb.GetCapacityRequest) -> Page:
    """Return the page asked for: its position is the number of a list, and a call in it."""
    return asked_page(request, (int, str), most=MAX_CALLS)


def capacity_message(capacity: Capacity, page: Page) -> pb.GetCapacityResponse:
    """Return the calls of the page, active ones first, then accepted, then pending ones."""
    answer = pb.GetCapacityResponse()
    lists = (
        (capacity.active, answer.active_calls),
        (capacity.accepted, answer.accepted_calls),
        (capacity.pending, answer.pending_calls),
    )
    at_list, at_call = page.after or (0, "")
    left = page.size
    last: tuple[int, str] | None = None
    for number, (calls, listed) in enumerate(lists):
        if number < at_list:
            continue
        start = bisect_right(calls, at_call, key=itemgetter(0)) if number == at_list else 0
        end = len(calls) if left is None else min(start + left, len(calls))
        for call_id, tenant_id in calls[start:end]:
            listed.add(call_id=call_id, tenant_id=tenant_id)
        if end > start:
            last = number, calls[end - 1][0]
        if left is not None:
            if end < len(calls):
                answer.next_page_token = page.next_token(*(last or (at_list, at_call)))
                break
            left -= end - start
    return answer
