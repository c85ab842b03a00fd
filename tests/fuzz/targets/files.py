"""Files that `vumeter import` reads: NDJSON and CSV of points, events and calls."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from typing import Any, Final
from unittest import mock

import click
import grpc
from tests.fuzz.targets.target import Target

from vumeter_server.commands.files.calls import CallImport
from vumeter_server.commands.files.events import EventImport
from vumeter_server.commands.files.formats import CSV, NDJSON, STANDARD_STREAM
from vumeter_server.commands.files.import_run import Importable
from vumeter_server.commands.files.points import PointImport
from vumeter_server.commands.files.records import read_records
from vumeter_server.commands.remote import Remote


@functools.cache
def _remote() -> Remote:
    """Return a channel that nothing is sent over."""
    return Remote(channel=grpc.insecure_channel("localhost:1"), metadata=())


def _imported(kind: Callable[[], Importable[Any]], file_format: str, data: bytes) -> object:
    importing = kind()
    messages = []
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(data))):
        for record in read_records(STANDARD_STREAM, file_format, importing):
            if record.value is None:
                assert record.problem
            else:
                messages.append(importing.message(record.value))
    return importing.request(messages, "key", dry_run=False).SerializeToString()


def _target(kind: Callable[[], Importable[Any]], file_format: str, *seeds: bytes) -> Target:
    return Target(
        read=functools.partial(_imported, kind, file_format),
        seeds=lambda: seeds,
        allowed=(click.ClickException,),
    )


@functools.cache
def _points() -> PointImport:
    return PointImport(_remote())


@functools.cache
def _events() -> EventImport:
    return EventImport(_remote())


@functools.cache
def _calls() -> CallImport:
    return CallImport(_remote(), None)


TARGETS: Final = {
    "import_points_csv": _target(
        _points,
        CSV,
        b"timestamp,name,type,value,agent_id,session_id,tags,distribution\r\n"
        b'2025-04-01T10:00:00Z,turns,counter,1.5,a,s,"{""x"": ""1""}",\r\n'
        b'2025-04-01T10:00:00+02:00,ms,histogram,,,,,"{""count"": 1, ""sum"": 2.5}"\r\n',
        b"\xef\xbb\xbftimestamp,name\n2025-04-01T10:00:00Z,turns\n",
    ),
    "import_points_ndjson": _target(
        _points,
        NDJSON,
        b'{"name":"turns","timestamp":"2025-04-01T10:00:00Z","value":1,"tags":{"a":"b"}}\n'
        b'{"name":"ms","timestamp":"2025-04-01T10:00:00Z","type":"histogram","distribution":'
        b'{"count":2,"sum":3,"scale":1,"zeroCount":1,"positive":{"offset":1,"bucketCounts":[1]}}}\n',
    ),
    "import_events_csv": _target(
        _events,
        CSV,
        b"event_id,type,call_id,tenant_id,occurred_at,reason,outcome,minutes,sequence\n"
        b"e1,started,c1,t1,2025-04-01T10:00:00Z,,,,\n"
        b"e2,audio,c1,t1,2025-04-01T10:00:00Z,,,1.5,7\n"
        b"e3,ended,c1,t1,2025-04-01T10:00:00Z,,completed,,1e300\n",
    ),
    "import_events_ndjson": _target(
        _events,
        NDJSON,
        b'{"event_id":"e","type":"ended","call_id":"c","tenant_id":"t","outcome":"completed",'
        b'"occurred_at":"2025-04-01T10:00:00Z","minutes":1.5,"sequence":7}\n',
    ),
    "import_calls_csv": _target(
        _calls,
        CSV,
        b"call_execution_id,execution_id,status,duration_seconds,customer_latency_metrics\n"
        b'c,e,completed,12.5,"{""a"": {""b"": [1, null]}}"\n',
    ),
    "import_calls_ndjson": _target(
        _calls,
        NDJSON,
        b'{"call_execution_id":"c","execution_id":"e","status":"completed",'
        b'"latency":{"avg_agent_latency_ms":1.5,"customer_latency_metrics":{"a":[1]}}}\n',
    ),
}
