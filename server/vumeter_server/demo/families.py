"""Which families have demo data, in the order in which it is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.demo import custom_metrics, live_metrics, simulation
from vumeter_server.demo.stage import Demo

DEMOS: Sequence[Demo] = (custom_metrics.DEMO, live_metrics.DEMO, simulation.DEMO)
