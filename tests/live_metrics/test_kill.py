"""`kill -9` at any moment: what was acknowledged is there, whole, and nothing by half."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.conformance.live_metrics.records import Records
from tests.effort import tries
from tests.live_metrics.conftest import PATHS, LiveApi, live_api
from tests.live_metrics.many_events import NINE, as_event, listed, lists, some_events
from tests.stack import start_stack

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb


@pytest.mark.parametrize("seed", tries([1], [*range(1, 20)]))
def test_after_kill_9_the_lists_are_those_of_the_acknowledged_events(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    sent: list[list[pb.CallEvent]] = []
    acknowledged = 0
    stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false")
    live = live_api(stack)

    def requests() -> Iterator[pb.StreamEventsRequest]:
        while True:
            sent.append(some_events(chance, len(sent)))
            yield pb.StreamEventsRequest(events=sent[-1])

    def kill() -> None:
        time.sleep(0.3 + seed / 10)
        for child in stack.children():
            os.kill(child, signal.SIGKILL)

    killer = threading.Thread(target=kill)

    def send() -> None:
        nonlocal acknowledged
        for answer in live.stub.StreamEvents(requests(), metadata=live.metadata):
            if not acknowledged:
                killer.start()
            acknowledged = answer.sequence

    with pytest.raises(grpc.RpcError):
        send()
    killer.join()
    stack.wait()
    live.channel.close()
    assert acknowledged > 0

    stack = start_stack(tmp_path, VUMETER_ACCESS_LOG="false")
    live = live_api(stack)
    try:
        # A request that was not acknowledged may be there too, but only as a whole.
        stored = acknowledged + unacknowledged(live, sent[acknowledged:])
        oracle = Records()
        for request in sent[:stored]:
            oracle.receive([as_event(event) for event in request])
        assert lists(live) == listed(oracle)
        # Sent again after the restart, everything is there once.
        for first in range(0, len(sent), 100):
            batch = [event for request in sent[first : first + 100] for event in request]
            live.stub.RecordEvents(pb.RecordEventsRequest(events=batch), metadata=live.metadata)
        oracle.receive([as_event(event) for request in sent for event in request])
        assert lists(live) == listed(oracle)
        total: dict[str, Any] = live.get(f"{PATHS}/live").json()
        assert total["active_calls"] == sum(name == "active" for _, name in lists(live).values())
    finally:
        live.channel.close()
        stack.stop()


def unacknowledged(live: LiveApi, requests: list[list[pb.CallEvent]]) -> int:
    """Return how many of these requests are stored nevertheless, from the first one on.

    They are the first ones of a stream, and a stream is recorded in order.
    """
    stored = 0
    for request in requests:
        known = {is_known(live, event) for event in request}
        assert len(known) == 1, "a request is stored by half"
        if known == {False}:
            break
        stored += 1
    return stored


def is_known(live: LiveApi, event: pb.CallEvent) -> bool:
    probe = pb.CallEvent()
    probe.CopyFrom(event)
    probe.occur_time.seconds -= 1
    other = pb.CallEvent(
        event_id=f"probe-{event.event_id}",
        type=pb.EVENT_TYPE_FALLBACK_INSTRUCTIONS_USED,
        tenant_id="probe",
    )
    other.occur_time.FromSeconds(NINE)
    # Two contents under one id: the batch is refused whether or not the event is known, and the
    # place that is named tells which.
    again = pb.CallEvent()
    again.CopyFrom(other)
    again.occur_time.seconds += 1
    try:
        live.stub.RecordEvents(
            pb.RecordEventsRequest(events=[probe, other, again]), metadata=live.metadata
        )
    except grpc.RpcError as error:
        return "events[0]" in (error.details() or "")
    raise AssertionError("two contents under one id were taken")
