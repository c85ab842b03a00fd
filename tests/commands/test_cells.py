"""Numbers in the cells of files that are imported."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter_server.commands.files.events import EventImport
from vumeter_server.commands.files.formats import CSV, NDJSON
from vumeter_server.commands.files.records import Record, number_in, read_records
from vumeter_server.commands.remote import Remote
from vumeter_server.errors import InvalidArgument

CELLS = {
    "event_id": "e",
    "type": "started",
    "call_id": "c",
    "tenant_id": "t",
    "occurred_at": "2025-04-01T10:00:00Z",
}
IN_RANGE = f"must be a whole number from 0 to {2**63 - 1:,}"


def importing() -> EventImport:
    return EventImport(Remote(channel=grpc.insecure_channel("localhost:1"), metadata=()))


@pytest.mark.parametrize(
    ("cell", "number"), [("1.5", 1.5), (" 7 ", 7), ("-2e3", -2000), ("\x1d7\x1d", 7)]
)
def test_a_number_may_have_space_around_it(cell: str, number: float) -> None:
    assert number_in({"value": cell}, "value") == number


@pytest.mark.parametrize(
    ("cell", "sequence"),
    [("7", 7), (" 7\x1d", 7), ("7.0", 7), ("1e3", 1_000), (str(2**53 + 1), 2**53 + 1)],
)
def test_a_sequence_may_be_written_as_any_whole_number(cell: str, sequence: int) -> None:
    assert importing().from_cells(CELLS | {"sequence": cell}).sequence == sequence


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("7.5", "must be a whole number"),
        ("1e400", "must be a whole number"),
        ("seven", "must be a number"),
        ("1e300", IN_RANGE),
        (str(2**63), IN_RANGE),
    ],
)
def test_another_sequence_is_refused_by_name(cell: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        importing().from_cells(CELLS | {"sequence": cell})
    assert [(each.field, each.problem) for each in refused.value.violations] == [
        ("sequence", problem)
    ]


@pytest.mark.parametrize("file_format", [CSV, NDJSON])
def test_the_rest_of_a_file_is_imported(tmp_path: Path, file_format: str) -> None:
    rows = [CELLS | {"event_id": str(each), "sequence": str(10**each)} for each in (1, 30, 2)]
    if file_format == CSV:
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    else:
        cells = [
            ",".join(
                f'"{name}":{cell}' if name == "sequence" else f'"{name}":"{cell}"'
                for name, cell in row.items()
            )
            for row in rows
        ]
        lines = [f"{{{each}}}" for each in cells]
    path = tmp_path / f"events.{file_format}"
    path.write_text("\n".join(lines))
    records: list[Record[pb.CallEvent]] = list(read_records(str(path), file_format, importing()))
    assert [each.value is None for each in records] == [False, True, False]
    assert "sequence" in records[1].problem
