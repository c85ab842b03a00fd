"""The writer's symbol tables of an organization: interned ids of metrics, labels and sessions.

Owns the tables `metric_states`, `metrics`, `labels`, `series` and `sessions`. An interned id is
called a code in names of columns and variables.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.exported import KnownMetric
from vumeter_server.custom_metrics.limits import check_metrics
from vumeter_server.custom_metrics.model import LabelSet, MetricType, Settled
from vumeter_server.custom_metrics.sqlite.ingest.label_codes import LabelCodes
from vumeter_server.custom_metrics.sqlite.ingest.session_codes import find_sessions, session_hash
from vumeter_server.custom_metrics.sqlite.ingest.unused import Unused
from vumeter_server.errors import LimitExceeded
from vumeter_server.runtime.limits import Limits
from vumeter_server.sqlite.library import sqlite3

# What an organization can have: see LabelIndex.
MAX_METRICS = 30_000
MAX_SESSIONS_CACHED = 50_000
# A metric with a long description takes as much as so many entries.
_ENTRIES_PER_DESCRIBED = 6
NO_CODE = -1
AGENT = "agent_id"

Codes = npt.NDArray[np.int32]


@dataclass(slots=True)
class State:
    """The row of `metric_states`: how many codes of each kind are given, and how far the log is."""

    version: int = 0
    metrics: int = 0
    labels: int = 0
    series: int = 0
    sessions: int = 0
    uses: int = 0
    deletions: int = 0
    next_batch: int = 0
    sealed_through: int = -1
    layout: int = 0
    deleted_through: int = -1


STATE_COLUMNS = tuple(State.__dataclass_fields__)
# Made of the names above, nothing from outside.
_READ_STATE = f"SELECT {', '.join(STATE_COLUMNS)} FROM metric_states WHERE organization_id = ?"  # noqa: S608
_READ_VERSION = "SELECT version FROM metric_states WHERE organization_id = ?"
_WRITE_STATE = (
    f"INSERT OR REPLACE INTO metric_states (organization_id, {', '.join(STATE_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * (len(STATE_COLUMNS) + 1))})"
)


def read_state(connection: sqlite3.Connection, organization_id: int) -> State:
    """Return the organization's state; a fresh one if nothing was ever recorded."""
    row = connection.execute(_READ_STATE, (organization_id,)).fetchone()
    return State() if row is None else State(*row)


def read_version(connection: sqlite3.Connection, organization_id: int) -> int:
    """Return the version of the organization's state."""
    row = connection.execute(_READ_VERSION, (organization_id,)).fetchone()
    return 0 if row is None else int(row[0])


def write_state(connection: sqlite3.Connection, organization_id: int, state: State) -> None:
    """Keep the state, as a new version."""
    state.version += 1
    values = [getattr(state, name) for name in STATE_COLUMNS]
    connection.execute(_WRITE_STATE, (organization_id, *values))


@dataclass(slots=True)
class SymbolTables:
    """The codes that the writer has given out in one organization.

    They are only good together with `state`; after a rollback they are thrown away and read again.
    """

    organization_id: int
    state: State
    metrics: dict[str, tuple[int, MetricType]]
    label_codes: LabelCodes
    distributed: set[int] = field(default_factory=set)
    """The codes of metrics that have distributions among their points."""
    unused: Unused | None = None
    """What no point has any more; None while that is not known."""
    # By hand: LRUCache of cachetools takes twice as long for each session of a batch (1.9 µs, not
    # 0.9), and the readers' caches are looked into without a lock, which its `get` does not allow.
    sessions: OrderedDict[str, int] = field(default_factory=OrderedDict)
    described: dict[str, KnownMetric] = field(default_factory=dict)
    """Units and descriptions, of metrics that were exported lately; `exported` fills it."""

    @classmethod
    def read(cls, connection: sqlite3.Connection, organization_id: int) -> SymbolTables:
        """Read the organization's symbol tables."""

        def rows(sql: str) -> sqlite3.Cursor:
            return connection.execute(sql + " WHERE organization_id = ?", (organization_id,))

        label_codes = LabelCodes(
            labels={
                (key, value): code
                for code, key, value in rows("SELECT label_code, key, value FROM labels")
            },
            series={key: code for code, key in rows("SELECT series_code, label_codes FROM series")},
        )
        return cls(
            organization_id=organization_id,
            state=read_state(connection, organization_id),
            metrics={
                name: (code, MetricType(metric_type))
                for code, name, metric_type in rows("SELECT metric_code, name, type FROM metrics")
                if name is not None
            },
            label_codes=label_codes,
            distributed={
                code
                for code, marked in rows("SELECT metric_code, has_distributions FROM metrics")
                if marked
            },
        )

    @property
    def entries(self) -> int:
        """How many entries are held, to bound what all organizations take together."""
        described = _ENTRIES_PER_DESCRIBED * len(self.described)
        return self.label_codes.entries + len(self.sessions) + described

    def keep_limits(self, connection: sqlite3.Connection, settled: Settled, limits: Limits) -> None:
        """Raise LimitExceeded if a batch has too many new metrics."""
        if len(self.metrics) + len(settled.new_types) > limits.metrics:
            unused = self.find_unused(connection).metrics
            check_metrics(
                settled.batch,
                lambda name: name in self.metrics and self.metrics[name][0] not in unused,
                metrics=len(self.metrics) - len(unused),
                limit=limits.metrics,
            )

    def find_unused(self, connection: sqlite3.Connection) -> Unused:
        """Return what no point has any more, and count without it from now on."""
        if self.unused is None:
            self.unused = Unused()
            if self.state.deletions or self.state.deleted_through >= 0:
                self.unused = Unused.read(
                    connection,
                    self.organization_id,
                    self.state.deleted_through,
                    {code for code, _ in self.metrics.values()},
                    self.label_codes.series,
                )
            self.label_codes.count_without(self.unused)
        return self.unused

    def forget_unused(self) -> None:
        """Count everything, because what is unused has changed, until it is found again."""
        self.unused = None
        self.label_codes.count_without(Unused())

    def metric_codes(
        self, connection: sqlite3.Connection, names: list[str], new_types: dict[str, MetricType]
    ) -> Codes:
        """Return the codes of metrics, giving out those of new ones."""
        new = []
        if self.state.metrics + len(new_types) > MAX_METRICS:
            raise LimitExceeded(f"An organization has at most {MAX_METRICS:,} metrics")
        for name, metric_type in new_types.items():
            self.metrics[name] = (self.state.metrics, metric_type)
            new.append((self.organization_id, self.state.metrics, name, int(metric_type)))
            self.state.metrics += 1
        connection.executemany(
            "INSERT INTO metrics (organization_id, metric_code, name, type) VALUES (?, ?, ?, ?)",
            new,
        )
        codes = [self.metrics[name][0] for name in names]
        if self.unused is not None:
            self.unused.metrics.difference_update(codes)
        return np.array(codes, np.int32)

    def mark_distributions(self, connection: sqlite3.Connection, codes: Codes) -> None:
        """Note that metrics have distributions; whoever knows their symbols reads them again."""
        new = set(codes.tolist()) - self.distributed
        if not new:
            return
        connection.executemany(
            "UPDATE metrics SET has_distributions = 1"
            " WHERE organization_id = ? AND metric_code = ?",
            [(self.organization_id, code) for code in sorted(new)],
        )
        self.distributed |= new
        self.state.deletions += 1

    def series_codes(self, connection: sqlite3.Connection, label_sets: list[LabelSet]) -> Codes:
        """Return the codes of label sets, giving out those of new labels and series.

        What is beyond the limits gets the code of something that is not.
        """
        known = self.label_codes
        codes = known.of(label_sets)
        if codes is None and self.unused is None and known.may_exceed(len(label_sets)):
            self.find_unused(connection)
        if codes is None:
            codes, new = known.give(label_sets)
            connection.executemany(
                "INSERT INTO labels (organization_id, label_code, key, value) VALUES (?, ?, ?, ?)",
                [(self.organization_id, *row) for row in new.labels],
            )
            connection.executemany(
                "INSERT INTO series (organization_id, series_code, label_codes) VALUES (?, ?, ?)",
                [(self.organization_id, *row) for row in new.series],
            )
            self.state.labels, self.state.series = len(known.labels), len(known.series)
        return np.array(codes, np.int32)

    def session_codes(self, connection: sqlite3.Connection, names: list[str]) -> Codes:
        """Return the codes of sessions, giving out those of new ones."""
        known = self.sessions
        unknown = [name for name in dict.fromkeys(names) if name not in known]
        if unknown:
            hashes = {name: session_hash(self.organization_id, name) for name in unknown}
            known.update(find_sessions(connection, self.organization_id, hashes))
            new = [name for name in unknown if name not in known]
            given = range(self.state.sessions, self.state.sessions + len(new))
            self.state.sessions += len(new)
            known.update(zip(new, given, strict=True))
            connection.executemany(
                "INSERT INTO sessions (organization_id, session_code, name) VALUES (?, ?, ?)",
                [(self.organization_id, known[name], name) for name in new],
            )
            connection.executemany(
                "INSERT INTO session_hashes (hash, organization_id, session_code) VALUES (?, ?, ?)",
                [(hashes[name], self.organization_id, known[name]) for name in new],
            )
        codes = np.array([known[name] for name in names], np.int32)
        while len(known) > MAX_SESSIONS_CACHED:
            known.popitem(last=False)
        return codes
