"""Exports and imports that were stopped go on where they were, and say so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest
from tests.commands.transferring import Clinic
from tests.stack import Stack

from vumeter_server.commands.files.import_run import ImportRun
from vumeter_server.commands.files.point_export import PointExport

POINTS = 25_000


@pytest.fixture
def clinic(stack: Stack) -> Clinic:
    filled = Clinic.of(stack)
    for start in range(0, POINTS, 5_000):
        numbers = range(start, start + 5_000)
        filled.record(
            *({"name": "n", "timestamp": f"2025-04-0{1 + n % 7}T00:00:00Z"} for n in numbers)
        )
    return filled


@pytest.mark.parametrize("file_format", ["csv", "ndjson", "parquet"])
def test_an_export_goes_on_behind_what_is_in_the_file(
    clinic: Clinic, tmp_path: Path, file_format: str
) -> None:
    file, whole = tmp_path / f"points.{file_format}", tmp_path / f"whole.{file_format}"
    clinic.export(whole)
    opened = PointExport.messages

    def stopped(kind: PointExport, resume_token: str) -> Iterator[Any]:
        yield from itertools.islice(opened(kind, resume_token), 2)
        raise KeyboardInterrupt

    with mock.patch.object(PointExport, "messages", stopped), pytest.raises(click.Abort):
        clinic.run("export", "custom-metrics", file)
    assert not file.exists()
    ended = clinic.export(file)
    # What Parquet has at its end is not there yet, so such a file begins again.
    told = "" if file_format == "parquet" else "going on after 20000 records\n"
    assert (ended.out, ended.err) == (f"exported {POINTS} points\n", told)
    assert file.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([file, whole])


def test_an_import_goes_on_and_doubles_nothing(
    clinic: Clinic, stack: Stack, tmp_path: Path
) -> None:
    file, copy = tmp_path / "points.ndjson", Clinic.of(stack)
    clinic.export(file)
    sent = ImportRun._send
    batches = itertools.count(1)

    def stopped(run: ImportRun[Any], batch: list[tuple[int, Any]], key: str) -> None:
        sent(run, batch, key)
        # The second batch is recorded, and nothing says so.
        if next(batches) == 2:
            raise KeyboardInterrupt

    with mock.patch.object(ImportRun, "_send", stopped), pytest.raises(click.Abort):
        copy.load(file)
    assert len(copy.lines()) == 20_000
    ended = copy.load(file)
    assert (ended.status, ended.out) == (0, f"recorded {POINTS} points, refused 0\n")
    assert ended.err == "going on after 10000 records\n"
    assert copy.lines() == clinic.lines()
