"""The families: modules with `sections()`, in the order in which they are measured."""

from __future__ import annotations

import importlib

from bench.run import Section

MODULES = (
    "bench.in_process",
    "bench.over_rest",
    "bench.recording",
    "bench.limits",
    "bench.operating",
    "bench.otlp",
    "bench.export",
    "bench.backup",
    "bench.deletion",
    "bench.resources",
    "bench.live_metrics",
    "bench.dashboard",
    "bench.simulation",
    "bench.against",
    "bench.sizes",
    "bench.cluster",
)


def all_sections() -> list[Section]:
    """Return the sections of every family."""
    return [section for module in MODULES for section in importlib.import_module(module).sections()]
