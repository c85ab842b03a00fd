"""Report a call as it happens.

VUMETER_KEY=... python report_calls.py HOST:PORT

The key is the `bearer` that `vumeter keys create --role reporter` prints.
"""

import os
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import grpc

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub


def happened(kind: pb.EventType, call_id: str, **more: Any) -> pb.StreamEventsRequest:
    event = pb.CallEvent(event_id=str(uuid.uuid4()), type=kind, call_id=call_id, **more)
    event.tenant_id = "tenant_1"
    event.occur_time.GetCurrentTime()
    return pb.StreamEventsRequest(events=[event])


def one_call() -> Iterator[pb.StreamEventsRequest]:
    call_id = str(uuid.uuid4())
    yield happened(pb.EVENT_TYPE_STARTED, call_id)
    yield happened(pb.EVENT_TYPE_AUDIO, call_id, minutes=1.5)
    yield happened(pb.EVENT_TYPE_ENDED, call_id, outcome=pb.CALL_OUTCOME_COMPLETED, minutes=2.25)


with grpc.insecure_channel(sys.argv[1]) as channel:
    credential = [("authorization", f"Bearer {os.environ['VUMETER_KEY']}")]
    recorded = 0
    for answer in LiveMetricsServiceStub(channel).StreamEvents(one_call(), metadata=credential):
        # What was not answered when a stream broke can be sent again: repeats are harmless.
        recorded += answer.recorded
        if answer.HasField("error"):
            print(f"batch {answer.sequence} was rejected: {answer.error.message}")
        else:
            print(f"{answer.sequence} batches answered, {recorded} events recorded")
