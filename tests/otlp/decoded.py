"""Requests as real clients sent them, decoded and settled, in a form that tests compare."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vumeter_server.custom_metrics.exported import ExportedBatch, KnownMetric, RoomForMetrics
from vumeter_server.custom_metrics.increments import SeriesStates
from vumeter_server.custom_metrics.settle_exported import SettledExport, settle_exported
from vumeter_server.otlp import json_form, wire
from vumeter_server.otlp.decoding import decode
from vumeter_server.otlp.ingest import known_exporters
from vumeter_server.otlp.mapping import DEFAULT_MAPPING, AttributeMapping

PAYLOADS = Path(__file__).resolve().parent / "payloads"
NOW_US = 1_795_708_900_000_000
States = defaultdict[tuple[bytes, str], SeriesStates]


def body_of(name: str) -> bytes:
    """Return the body of a request, inflated."""
    data = (PAYLOADS / f"{name}.bin").read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def batch_of(
    body: bytes, *, is_json: bool = False, mapping: AttributeMapping = DEFAULT_MAPPING
) -> ExportedBatch:
    """Decode a body."""
    read = json_form.read_request if is_json else wire.read_request
    batch, _ = decode(read(body), mapping, known_exporters())
    return batch


def settled(
    batch: ExportedBatch,
    states: States | None = None,
    known: Mapping[str, KnownMetric] | None = None,
    now_us: int = NOW_US,
    new_metrics: int = 100,
) -> SettledExport:
    """Settle a batch."""
    kept: States = defaultdict(SeriesStates) if states is None else states
    return settle_exported(
        batch, known or {}, lambda *unit: kept[unit], now_us, room=RoomForMetrics(left=new_metrics)
    )


def rows(export: SettledExport) -> list[tuple[str, str, float, str, dict[str, str]]]:
    """Return the points: metric, type, value, session, labels."""
    batch = export.settled.batch
    sessions = [*batch.sessions, ""]
    return [
        (
            batch.names[name],
            {1: "counter", 2: "gauge", 3: "histogram"}[of],
            value,
            sessions[session],
            dict(batch.label_sets[labels]),
        )
        for name, of, value, session, labels in zip(
            batch.name_indexes.tolist(),
            batch.types.tolist(),
            export.settled.values.tolist(),
            batch.session_indexes.tolist(),
            batch.label_set_indexes.tolist(),
            strict=True,
        )
    ]


def request(*metrics: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a request in JSON."""
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": attributes(resource or {})},
                "scopeMetrics": [{"scope": {"name": "test"}, "metrics": list(metrics)}],
            }
        ]
    }


def attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes in JSON."""
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in given.items()]
