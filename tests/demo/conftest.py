"""A product without demo data, and the two weeks that are loaded first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.demo.asking import NOON_US
from tests.stack import Stack, start_stack

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.demo import custom_metrics


@pytest.fixture(scope="module")
def requests_of_two_weeks() -> list[pb.StreamPointsRequest]:
    return [
        custom_metrics.request_of_hour(hour_us) for hour_us in custom_metrics.hours_before(NOON_US)
    ]


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    started = start_stack(tmp_path_factory.mktemp("empty"), VUMETER_ACCESS_LOG="false")
    yield started
    started.stop()
