"""How an export treats the database: a copy that nobody sees, in bounded pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conformance.custom_metrics.asking import HOUR_US, Practice
from tests.conformance.custom_metrics.factories import NOON_US, SteppedClock, Subject, sqlite
from tests.conformance.custom_metrics.samples import spread
from tests.custom_metrics.points import Point
from tests.effort import tries

from vumeter_server.custom_metrics.questions import ExportQuery
from vumeter_server.custom_metrics.sqlite import store as store_module
from vumeter_server.custom_metrics.sqlite.query import (
    export,
    export_copy,
    export_labels,
    export_spans,
)
from vumeter_server.custom_metrics.sqlite.query.export_copy import ExportCopy
from vumeter_server.errors import StorageDamaged, Unavailable
from vumeter_server.sqlite.connections import connect_writer


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Subject]:
    with sqlite(tmp_path, SteppedClock()) as opened:
        yield opened


@pytest.fixture
def practice(subject: Subject) -> Practice:
    practice = Practice.of(subject)
    for start in (0, 4_000):
        practice.record(*spread(9_000)[start : start + 5_000])
        subject.run(subject.flush())
    practice.record(*spread(500))
    return practice


@pytest.mark.parametrize("points_at_once", [tries(40, 1), 700, 2_000, 10**9])
def test_how_much_is_read_at_once_does_not_show(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, points_at_once: int
) -> None:
    # A day with many points, of which many are of one second.
    practice.record(*(Point(timestamp=NOON_US - n // 900 * HOUR_US) for n in range(3_000)))
    for is_flushed in (False, True):
        if is_flushed:
            practice.subject.run(practice.subject.flush())
        expected = practice.export()
        late = ExportQuery(start_us=NOON_US - 3 * HOUR_US - 1, end_us=NOON_US - 5, skip=100)
        with monkeypatch.context() as patched:
            patched.setattr(export_spans, "POINTS_AT_ONCE", points_at_once)
            assert practice.export() == expected
            assert (
                practice.export(late)
                == [point for point in expected if late.start_us <= point[3] < late.end_us][100:]
            )


def test_what_is_kept_between_pieces_does_not_show(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = practice.export()
    monkeypatch.setattr(export_labels, "MAX_KEPT", 2)
    monkeypatch.setattr(export, "MAX_POINTS", 700)
    assert practice.export() == expected


@pytest.mark.parametrize("every", [1, 2, 9], ids=["all", "half", "few"])
def test_sessions_have_their_names_whichever_share_of_them_is_exported(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    practice.record(
        *(
            Point(
                name="wanted" if n % every == 0 else "other",
                timestamp=NOON_US + n,
                session_id=f"session {n}",
            )
            for n in range(100)
        )
    )
    monkeypatch.setattr(export_copy, "SESSIONS_AT_ONCE", 7)
    exported = practice.export(
        ExportQuery(start_us=NOON_US, end_us=NOON_US + 100, metric_names=("wanted",))
    )
    assert [(point[3] - NOON_US, point[5]) for point in exported] == [
        (n, f"session {n}") for n in range(0, 100, every)
    ]


def test_spans_hold_no_more_than_they_may_unless_a_second_does(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.record(*(Point(timestamp=NOON_US - n) for n in range(3_000)))
    most: list[int] = []

    def watched(reader: export.ExportReader, span: export_spans.ExportSpan) -> object:
        points = read(reader, span)
        most.append(0 if points is None else len(points))
        return points

    read = export.ExportReader._read
    monkeypatch.setattr(export.ExportReader, "_read", watched)
    monkeypatch.setattr(export_spans, "POINTS_AT_ONCE", 200)
    assert len(practice.export()) == sum(most) == 13_500
    assert sorted(most)[-2] <= 200 < sorted(most)[-1]


def test_an_export_leaves_no_file_and_holds_up_no_checkpoint(
    practice: Practice, tmp_path: Path
) -> None:
    def files() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    before = files()

    async def export_slowly() -> None:
        exporting = practice.exporting()
        await anext(exporting)
        assert files() == before
        await practice.recording(Point(timestamp=NOON_US))
        with closing(connect_writer(tmp_path / "vumeter.db")) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
        await exporting.aclose()

    practice.subject.run(export_slowly())
    assert files() == before


def test_a_copy_is_closed_once_nobody_uses_it(tmp_path: Path) -> None:
    copy = ExportCopy()
    copy._connection = export_copy._temporary_beside(tmp_path / "vumeter.db")
    with copy:
        copy.close()
        assert copy.connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(RuntimeError):
        _ = copy.connection
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE metric_columns SET column = zeroblob(length(column)) WHERE kind = 1",
        "UPDATE metric_columns SET column = substr(column, 1, 40) WHERE kind = 0",
        "DELETE FROM metric_columns WHERE kind = 2",
        "DELETE FROM metric_columns WHERE kind = 3 AND day % 2",
        "DELETE FROM sessions WHERE session_code = 7",
    ],
)
def test_damage_is_met_and_never_exported(practice: Practice, tmp_path: Path, damage: str) -> None:
    with closing(connect_writer(tmp_path / "vumeter.db")) as connection:
        assert connection.execute(damage).rowcount
    with pytest.raises(StorageDamaged):
        practice.export()


def test_only_so_many_exports_are_under_way(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_EXPORTS", 2)

    async def export_three() -> None:
        under_way = [practice.exporting() for _ in range(3)]
        await anext(under_way[0])
        await anext(under_way[1])
        with pytest.raises(Unavailable, match="Too many exports are under way"):
            await anext(under_way[2])
        await under_way[0].aclose()
        await anext(practice.exporting())
        await under_way[1].aclose()

    practice.subject.run(export_three())
