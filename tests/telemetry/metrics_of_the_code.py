"""The own metrics that the code has, with types and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vumeter_server.live_metrics.own_metrics import METRICS
from vumeter_server.telemetry.exposition import UP
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import BUILD, GAUGES
from vumeter_server.telemetry.tenants import LABEL


class Described(NamedTuple):
    kind: str
    labels: frozenset[str]


def of_the_code() -> dict[str, Described]:
    found: dict[str, Described] = {}
    instruments = Instruments()
    labels_of = {
        str(each._name): each._labelnames
        for each in vars(instruments).values()
        if hasattr(each, "_labelnames")
    }
    for metric in instruments.registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        found[name] = Described(metric.type, frozenset(labels_of.get(metric.name, ())))
    for gauge in GAUGES:
        found[gauge.name] = Described("gauge", frozenset({gauge.label} - {""}))
    for each in METRICS:
        labels = frozenset({LABEL, each.label} - {""})
        counter = Described("counter", labels), f"{each.name}_total"
        described, name = counter if each.is_counter else (Described("gauge", labels), each.name)
        found[name] = described
    found[UP] = Described("gauge", frozenset())
    found[f"{BUILD}_info"] = Described(
        "gauge", frozenset({"version", "python_version", "sqlite_version", "grpc_version"})
    )
    return found


CODE: Mapping[str, Described] = of_the_code()
