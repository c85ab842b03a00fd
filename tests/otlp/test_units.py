"""A metric keeps the unit that was sent first; the writer knows it without reading it each time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.otlp.decoded import NOW_US

from vumeter_server.custom_metrics.exported import ExportedBatch, ExportedMetric, Temporality
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import Selection, SumQuery
from vumeter_server.custom_metrics.sqlite import SqliteMetricAdministration, SqliteMetricStore
from vumeter_server.custom_metrics.sqlite.ingest import exported
from vumeter_server.otlp.sqlite.store import SqliteExportStore
from vumeter_server.sqlite import Database, open_database

ALL = SumQuery(selection=Selection(start_us=0, end_us=2**62))
NAMES = ["first", "second", "third"]


class Organization:
    """One that exports."""

    def __init__(self, database: Database) -> None:
        self.administration = SqliteMetricAdministration(database)
        self._writer, self._readers = database.writer(), database.readers()
        self._store = SqliteMetricStore(self._writer, self._readers, lambda: NOW_US)
        self._exports = SqliteExportStore(
            self._writer,
            self._readers,
            exported.ExportRecorder(self._store.recorder),
            deletion_us=lambda: NOW_US,
        )
        sql = "INSERT INTO organizations (name, created_us) VALUES ('Dr. Weber', 0)"
        self._id = database.write(lambda connection: connection.execute(sql).lastrowid) or 0

    def close(self) -> None:
        self._readers.close()
        self._writer.close()

    def export(self, unit: str, value: float, *names: str) -> None:
        """Send a duration of each metric."""
        count = len(names)
        batch = ExportedBatch(
            metrics=[ExportedMetric(name=each, type=MetricType.GAUGE, unit=unit) for each in names],
            metric_indexes=list(range(count)),
            temporalities=[Temporality.STATE] * count,
            values=[value] * count,
            histograms=[None] * count,
            starts_ns=[0] * count,
            times_ns=[NOW_US * 1_000] * count,
            label_sets=[()],
            label_set_indexes=[0] * count,
            session_ids=[""] * count,
            streams=[b"s" * 16] * count,
            series=[b"r" * 16] * count,
        )
        asyncio.run(
            self._exports.record_exported(
                self._id, batch, key_id="vmk_1", notes={}, idempotency=None, now_us=NOW_US
            )
        )

    def recorded(self) -> dict[str, tuple[str, float]]:
        """Return the unit of each metric and the sum of its values."""
        metrics = asyncio.run(self._store.metrics(self._id))
        sums = asyncio.run(self._store.sums(self._id, ALL))
        totals = dict(zip(sums.metric_names, sums.sums[0].tolist(), strict=True))
        return {each.name: (each.unit, totals[each.name]) for each in metrics}


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Organization]:
    made = Organization(open_database(tmp_path / "vumeter.db"))
    yield made
    made.close()


def test_a_value_in_another_unit_is_converted_to_the_first_one(organization: Organization) -> None:
    organization.export("", 1.0, "wait")
    organization.export("", 1.0, "wait")
    organization.export("s", 2.0, "wait")
    organization.export("ms", 500.0, "wait")
    assert organization.recorded() == {"wait": ("s", 4.5)}


def test_a_metric_that_was_deleted_beside_the_server_gets_another_unit(
    organization: Organization,
) -> None:
    organization.export("s", 2.0, "wait", "other")
    organization.export("s", 2.0, "wait", "other")
    assert organization.administration.delete_metric("Dr. Weber", "wait")
    organization.export("ms", 500.0, "wait", "other")
    organization.export("s", 1.0, "wait", "other")
    assert organization.recorded() == {"wait": ("ms", 1_500.0), "other": ("s", 5.5)}


@pytest.mark.parametrize("cached", [0, 1, 2, 3, 4])
def test_more_metrics_than_are_cached_are_right_too(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, cached: int
) -> None:
    monkeypatch.setattr(exported, "MAX_DESCRIBED_CACHED", cached)
    organization.export("s", 1.0, *NAMES)
    for names in (NAMES[:1], NAMES[:2], NAMES[1:], NAMES, NAMES[::-1]):
        organization.export("ms", 1_000.0, *names)
    assert organization.recorded() == {
        "first": ("s", 5.0),
        "second": ("s", 5.0),
        "third": ("s", 4.0),
    }
