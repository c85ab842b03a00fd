"""How much of a session is read where everybody waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vumeter_server.custom_metrics.sqlite.formats.segments import SegmentRows
from vumeter_server.custom_metrics.sqlite.formats.session_rows import read_session_rows
from vumeter_server.sqlite import open_database

BLOBS = [b"first" * 3, b"second" * 2, b"third"]
SIZE = sum(map(len, BLOBS))


@pytest.mark.parametrize(
    ("most_bytes", "found"),
    [(SIZE, BLOBS), (SIZE + 1, BLOBS), (SIZE - 1, None), (len(BLOBS[0]) - 1, None), (0, None)],
)
def test_a_session_is_read_in_full_or_not_at_all(
    tmp_path: Path, most_bytes: int, found: list[bytes] | None
) -> None:
    database = open_database(tmp_path / "vumeter.db")
    database.write(
        lambda each: each.execute(
            "INSERT INTO organizations (organization_id, name, created_us) VALUES (1, 'acme', 0)"
        )
    )
    rows = SegmentRows(sessions=[(1, 7, part, 20_000, blob) for part, blob in enumerate(BLOBS)])
    database.write(rows.insert)
    assert database.read(lambda each: read_session_rows(each, 1, 7, most_bytes)) == found
    assert database.read(lambda each: read_session_rows(each, 1, 8, most_bytes)) == []
