"""Looks through the custom metrics of a database: what they take, and whether they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from vumeter_server.custom_metrics.sqlite.cache.snapshots import Snapshots
from vumeter_server.custom_metrics.sqlite.formats.batches import decode_batches
from vumeter_server.custom_metrics.sqlite.formats.columns import DISTRIBUTION_KIND, Kind, decode
from vumeter_server.custom_metrics.sqlite.formats.distributions import decode_distributions
from vumeter_server.custom_metrics.sqlite.formats.series_states import decode_states
from vumeter_server.custom_metrics.sqlite.formats.session_rows import read_all_session_rows
from vumeter_server.custom_metrics.sqlite.formats.sessions import read_session
from vumeter_server.custom_metrics.sqlite.formats.tables import decode_sums
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import read_state
from vumeter_server.custom_metrics.sqlite.maintenance.verification_sums import SumsCheck
from vumeter_server.custom_metrics.sqlite.rollups.building import read_by_label_set
from vumeter_server.errors import StorageDamaged
from vumeter_server.sqlite.checking import as_far_as_it_goes
from vumeter_server.sqlite.library import sqlite3


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a database holds of one organization."""

    organization: str
    days: int
    flushed_points: int
    log_points: int
    metrics: int
    series: int
    labels: int
    sessions: int


def contents(connection: sqlite3.Connection) -> list[Contents]:
    """Return what there is of every organization, by name."""
    found = []
    for organization_id, name in connection.execute(
        "SELECT organization_id, name FROM organizations WHERE deleted_us IS NULL ORDER BY name"
    ).fetchall():

        def one(sql: str, of: int = organization_id) -> int:
            return int(connection.execute(sql, (of,)).fetchone()[0] or 0)

        state = read_state(connection, organization_id)
        of_days = "FROM metric_days WHERE organization_id = ?"
        found.append(
            Contents(
                organization=name,
                days=one("SELECT count(DISTINCT day) " + of_days),
                flushed_points=one("SELECT sum(points) " + of_days),
                log_points=one("SELECT sum(points) FROM metric_batches WHERE organization_id = ?"),
                metrics=one(
                    "SELECT count(*) FROM metrics WHERE organization_id = ? AND name IS NOT NULL"
                ),
                series=state.series,
                labels=state.labels,
                sessions=one("SELECT count(*) FROM sessions WHERE organization_id = ?"),
            )
        )
    return found


def find_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield a line for each thing of the custom metrics that does not agree with another.

    What cannot be read is reported, and the next organization is looked at.
    """
    organizations: list[tuple[int, str]] = []

    def list_organizations() -> Iterator[str]:
        # Of one that is deleted, rows are left that nobody reads.
        rows = connection.execute(
            "SELECT organization_id, name FROM organizations WHERE deleted_us IS NULL ORDER BY name"
        )
        organizations.extend(rows.fetchall())
        yield from ()

    yield from as_far_as_it_goes("organizations", list_organizations())
    for organization_id, name in organizations:
        sound = True
        check = _Check(connection, organization_id)
        for part in check.parts():
            for problem in as_far_as_it_goes(part.__name__.strip("_"), part()):
                sound = False
                yield f"{name}: {problem}"
        if sound:
            # What does not count its points need not be added up.
            for problem in as_far_as_it_goes("sums", _sums_of(connection, organization_id)):
                yield f"{name}: {problem}"


def _sums_of(connection: sqlite3.Connection, organization_id: int) -> Iterator[str]:
    yield from SumsCheck(Snapshots().take(connection, organization_id)).problems()


class _Check:
    def __init__(self, connection: sqlite3.Connection, organization_id: int) -> None:
        self._connection = connection
        self._organization_id = organization_id
        self._metrics: set[int] = set()
        # Points by (day, part, metric); those of deleted metrics count nowhere.
        self._points: Counter[tuple[int, int, int]] = Counter()
        # The values that these are: a distribution holds several.
        self._values: Counter[tuple[int, int, int]] = Counter()
        self._in_sessions = 0
        self._listed: dict[tuple[int, int], int] = {}
        # Deletions, and days that are dropped, leave rows that nobody reads until they are done.
        self._is_cleaned_up = True

    def parts(self) -> list[Callable[[], Iterator[str]]]:
        """Return what is checked, in the order in which one needs what another has found."""
        return [
            self._metric_names,
            self._deletions,
            self._log,
            self._codes,
            self._columns,
            self._days,
            self._sums,
            self._blocks,
            self._sessions,
            self._states,
        ]

    def _metric_names(self) -> Iterator[str]:
        names = self._rows("SELECT metric_code FROM metrics WHERE name IS NOT NULL")
        self._metrics.update(code for (code,) in names)
        yield from ()

    def _deletions(self) -> Iterator[str]:
        self._listed = {
            (day, part): count
            for day, part, count in self._rows("SELECT day, part, points FROM metric_days")
        }
        if self._rows("SELECT 1 FROM dropped_days").fetchone():
            self._is_cleaned_up = False
        state = read_state(self._connection, self._organization_id)
        for number, deleted in self._rows(
            "SELECT batch_number, deleted FROM point_deletions WHERE is_done = 0"
        ):
            self._is_cleaned_up = False
            if (deleted is not None) != (number <= state.deleted_through):
                yield f"deletion {number}: whether it is applied is told differently"

    def _log(self) -> Iterator[str]:
        for number, count, columns in self._rows(
            "SELECT batch_number, points, columns FROM metric_batches"
        ):
            try:
                found = len(decode_batches([columns]))
            except StorageDamaged as error:
                yield f"batch {number}: {error.detail}"
                continue
            if found != count:
                yield f"batch {number} has a wrong length"

    def _columns(self) -> Iterator[str]:
        points, values = self._points, self._values
        for metric, kind, day, part, count, column in self._rows(
            "SELECT metric_code, kind, day, part, points, column FROM metric_columns"
        ):
            if metric not in self._metrics:
                continue
            if (day, part) not in self._listed:
                if self._is_cleaned_up:
                    yield f"day {day}, part {part}: column {kind} of metric {metric} is not listed"
                continue
            try:
                if kind == DISTRIBUTION_KIND:
                    of_metric = decode_distributions(column)
                    values[day, part, metric] += int(of_metric.counts.sum()) - len(of_metric)
                    continue
                decoded = decode(column)
            except StorageDamaged as error:
                yield f"day {day}, part {part}, column {kind} of metric {metric}: {error.detail}"
                continue
            if len(decoded) != count:
                yield f"day {day}, part {part}: column {kind} of metric {metric} has a wrong length"
            if kind == Kind.VALUE:
                points[day, part, metric] += count
                values[day, part, metric] += count
            elif kind == Kind.SESSION:
                self._in_sessions += int(np.count_nonzero(decoded))

    def _rows(self, select: str) -> sqlite3.Cursor:
        where = " AND " if " WHERE " in select else " WHERE "
        return self._connection.execute(
            f"{select}{where}organization_id = ?", (self._organization_id,)
        )

    def _codes(self) -> Iterator[str]:
        state = read_state(self._connection, self._organization_id)
        for table, code, given in (
            ("metrics", "metric_code", state.metrics),
            ("labels", "label_code", state.labels),
            ("series", "series_code", state.series),
            ("metric_uses", "use_code", state.uses),
        ):
            count, last = self._rows(f"SELECT count(*), max({code}) FROM {table}").fetchone()  # noqa: S608
            if count != given or (last or 0) != max(given - 1, 0):
                yield f"{table}: {count} rows up to code {last}, where {given} codes are given"

    def _days(self) -> Iterator[str]:
        points = self._points
        by_part: Counter[tuple[int, int]] = Counter()
        for (day, part, _), count in points.items():
            by_part[day, part] += count
        for key in sorted(self._listed):
            # A metric that was deleted since is counted in the day and has no columns.
            if by_part[key] > self._listed[key]:
                yield f"day {key[0]}, part {key[1]}: more points than the day counts"

    def _sums(self) -> Iterator[str]:
        values = self._values
        cells: Counter[tuple[int, int, int]] = Counter()
        for metric, day, part, blob in self._rows(
            "SELECT metric_code, day, part, sums FROM metric_cells"
        ):
            if metric in self._metrics and (day, part) in self._listed:
                cells[day, part, metric] += int(decode_sums(blob, 1)[1].counts.sum())
        if cells != values:
            yield "sums by cell do not count the points that the columns have"
        for key, day, part, blob in self._rows("SELECT key, day, part, sums FROM label_sums"):
            if (day, part) not in self._listed:
                continue
            (metrics, _), sums = decode_sums(blob, 2)
            for metric in np.unique(metrics).tolist():
                counted = int(sums.counts[metrics == metric].sum())
                if metric in self._metrics and counted != values[day, part, metric]:
                    yield f"day {day}, part {part}: sums by {key} do not count all points"

    def _blocks(self) -> Iterator[str]:
        values = self._values
        for level, block, through in self._rows(
            "SELECT level, block, through FROM series_blocks"
        ).fetchall():
            expected: Counter[int] = Counter()
            for (day, part, metric), count in values.items():
                if day // level == block and part <= through:
                    expected[metric] += count
            found: Counter[int] = Counter()
            for metric, blob in self._connection.execute(
                "SELECT metric_code, sums FROM series_sums"
                " WHERE organization_id = ? AND level = ? AND block = ?",
                (self._organization_id, level, block),
            ):
                if metric in self._metrics:
                    found[metric] += int(read_by_label_set(blob)[1].counts.sum())
            if found != expected:
                yield f"block {block} of {level} days does not count the points of its days"

    def _sessions(self) -> Iterator[str]:
        expected = self._in_sessions
        found = 0
        for _, _, blob in read_all_session_rows(self._connection, self._organization_id):
            found += sum(metric in self._metrics for metric, *_ in read_session(blob))
        if found != expected:
            yield f"sessions have {found} flushed points, where the columns have {expected}"

    def _states(self) -> Iterator[str]:
        for name, states in self._rows("SELECT metric_name, states FROM exported_series"):
            try:
                decode_states(states)
            except StorageDamaged as error:
                yield f"exported_series: states of {name}: {error.detail}"
