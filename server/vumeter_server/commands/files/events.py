"""Files of call events: one per line as in the REST body, or one per row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec
from google.api.httpbody_pb2 import HttpBody

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub
from vumeter_server.api import json_body
from vumeter_server.api.times import timestamp
from vumeter_server.commands.files.export_run import Exportable
from vumeter_server.commands.files.import_run import Importable
from vumeter_server.commands.files.records import number_in
from vumeter_server.commands.files.sinks import csv_of, ndjson_of
from vumeter_server.commands.remote import CALL_TIMEOUT_SECONDS, Remote
from vumeter_server.errors import InvalidArgument
from vumeter_server.live_metrics.rest_api import EventBody
from vumeter_server.live_metrics.validation import MAX_SEQUENCE
from vumeter_server.times.rfc3339 import format_rfc3339, parse_rfc3339

COLUMNS: Final = (
    *("event_id", "type", "call_id", "tenant_id", "occurred_at"),
    *("reason", "outcome", "minutes", "sequence"),
)


def _words(enum: Any, prefix: str) -> dict[str, int]:
    """Return the values of an enum as the REST body spells them."""
    return {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}


TYPES: Final = _words(pb.EventType, "EVENT_TYPE_")
REASONS: Final = _words(pb.RejectionReason, "REJECTION_REASON_")
OUTCOMES: Final = _words(pb.CallOutcome, "CALL_OUTCOME_")
_ENUMS: Final = (("type", TYPES), ("reason", REASONS), ("outcome", OUTCOMES))
_SPELLED: Final = {name: {number: word for word, number in words.items()} for name, words in _ENUMS}


class EventImport(Importable[pb.CallEvent]):
    """Records events; one that is known is harmless."""

    noun = "events"
    field = "events"
    prefix = "events[0]."
    renamed: Mapping[str, str] = MappingProxyType({"occur_time": "occurred_at"})
    batch_records = 5_000
    batch_bytes = 2 * 1024 * 1024
    columns = COLUMNS
    required = ("event_id", "type", "tenant_id", "occurred_at")

    def __init__(self, remote: Remote) -> None:
        self._stub = LiveMetricsServiceStub(remote.channel)
        self._metadata = remote.metadata

    def from_json(self, data: bytes) -> pb.CallEvent:
        """Read an event as in the REST body."""
        body = json_body.decode(HttpBody(data=data), EventBody)
        given = msgspec.structs.asdict(body).items()
        return _event({name: each for name, each in given if each is not msgspec.UNSET})

    def from_cells(self, cells: Mapping[str, str]) -> pb.CallEvent:
        """Read a row of CSV."""
        given: dict[str, Any] = dict(cells)
        if (minutes := number_in(cells, "minutes")) is not None:
            given["minutes"] = minutes
        if (sequence := number_in(cells, "sequence")) is not None:
            if not sequence.is_integer():
                raise InvalidArgument.of("sequence", "must be a whole number")
            # Exactly, as it is written: a double has no more than 53 bits.
            given["sequence"] = int(Decimal(cells["sequence"].strip()))
        return _event(given)

    def from_row(self, row: Mapping[str, Any]) -> pb.CallEvent:
        """Read a row of Parquet."""
        try:
            return _event(row)
        except (TypeError, ValueError) as error:
            raise InvalidArgument.of("", f"has a value of a wrong type: {error}") from None

    def message(self, record: pb.CallEvent) -> pb.CallEvent:
        """Return the event."""
        return record

    def request(
        self, messages: Sequence[pb.CallEvent], key: str, *, dry_run: bool
    ) -> pb.RecordEventsRequest:
        """Return the request for some events, which their ids distinguish from others."""
        del key, dry_run
        return pb.RecordEventsRequest(events=messages)

    def send(self, request: pb.RecordEventsRequest) -> None:
        """Record events."""
        self._stub.RecordEvents(request, metadata=self._metadata, timeout=CALL_TIMEOUT_SECONDS)


def _event(given: Mapping[str, Any]) -> pb.CallEvent:
    """Return an event; what of it breaks a rule is found where it is recorded."""
    numbers = {}
    for name, words in _ENUMS:
        if word := given.get(name):
            if word not in words or word == "timed_out":
                allowed = ", ".join(each for each in words if each != "timed_out")
                raise InvalidArgument.of(name, f"must be one of {allowed}")
            numbers[name] = words[word]
    sequence = given.get("sequence")
    if isinstance(sequence, int) and not -(2**63) <= sequence < 2**63:
        raise InvalidArgument.of("sequence", f"must be a whole number from 0 to {MAX_SEQUENCE:,}")
    event = pb.CallEvent(
        event_id=given.get("event_id", ""),
        call_id=given.get("call_id", ""),
        tenant_id=given.get("tenant_id", ""),
        minutes=given.get("minutes"),
        sequence=sequence,
        **numbers,  # type: ignore[arg-type]
    )
    time = given.get("occurred_at")
    if time is not None:
        time_us = time if isinstance(time, int) else parse_rfc3339(time, "occurred_at")
        event.occur_time.CopyFrom(timestamp(time_us))
    return event


class EventExport(Exportable[pb.ExportEventsResponse]):
    """The stream of ExportEvents."""

    noun = "events"
    columns = COLUMNS

    def __init__(self, remote: Remote, request: pb.ExportEventsRequest) -> None:
        self._stub = LiveMetricsServiceStub(remote.channel)
        self._metadata = remote.metadata
        self._request = request

    def identity(self) -> str:
        """Return the request."""
        return f"events {self._request.SerializeToString(deterministic=True).hex()}"

    def messages(self, resume_token: str) -> Iterator[pb.ExportEventsResponse]:
        """Open the stream."""
        request = pb.ExportEventsRequest()
        request.CopyFrom(self._request)
        request.resume_token = resume_token
        return iter(self._stub.ExportEvents(request, metadata=self._metadata))

    def count(self, message: pb.ExportEventsResponse) -> int:
        """Return how many events there are."""
        return len(message.events)

    def ndjson(self, message: pb.ExportEventsResponse) -> str:
        """Return events as in the REST body."""
        return ndjson_of(_fields(event) for event in message.events)

    def csv(self, message: pb.ExportEventsResponse) -> str:
        """Return events as rows."""
        found = (_fields(event) for event in message.events)
        return csv_of([str(fields.get(name, "")) for name in COLUMNS] for fields in found)

    def schema(self, pyarrow: Any) -> Any:
        """Return the columns of a table."""
        types = {
            "occurred_at": pyarrow.timestamp("us", "UTC"),
            "minutes": pyarrow.float64(),
            "sequence": pyarrow.int64(),
        }
        return pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in COLUMNS])

    def table(self, pyarrow: Any, messages: Sequence[pb.ExportEventsResponse]) -> Any:
        """Return events as a table."""
        rows = []
        for event in (event for message in messages for event in message.events):
            rows.append(_fields(event) | {"occurred_at": event.occur_time.ToMicroseconds()})
        schema = self.schema(pyarrow)
        return pyarrow.Table.from_arrays(
            [pyarrow.array([row.get(each.name) for row in rows], each.type) for each in schema],
            schema=schema,
        )


def _fields(event: pb.CallEvent) -> dict[str, Any]:
    """Return what an event has, as in the REST body."""
    found: dict[str, Any] = {
        "event_id": event.event_id,
        "type": _SPELLED["type"][event.type],
        "call_id": event.call_id,
        "tenant_id": event.tenant_id,
        "occurred_at": format_rfc3339(event.occur_time.ToMicroseconds()),
        "reason": _SPELLED["reason"].get(event.reason, ""),
        "outcome": _SPELLED["outcome"].get(event.outcome, ""),
    }
    found = {name: each for name, each in found.items() if each}
    if event.HasField("minutes"):
        found["minutes"] = event.minutes
    if event.HasField("sequence"):
        found["sequence"] = event.sequence
    return found
