"""Lets few points be as many as are read in parts."""

from __future__ import annotations

import pytest

from vumeter_server.custom_metrics.sqlite.cache import edge_points, unit_cache
from vumeter_server.custom_metrics.sqlite.formats import segment_groups


def let_few_be_many(patched: pytest.MonkeyPatch) -> None:
    """Keep no points of days, and read some segments and intervals at a time."""
    patched.setattr(unit_cache, "MAX_POINTS", 2)
    patched.setattr(edge_points, "POINTS_AT_ONCE", 3)
    patched.setattr(segment_groups, "MAX_POINTS", 20)
