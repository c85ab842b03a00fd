"""The writer's symbol tables of an organization: interned ids of metrics, labels and sessions.

Owns the tables `metric_states`, `metrics`, `labels`, `series`, `sessions` and `session_hashes`. An
interned id is called a code in names of columns and variables.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.model import LabelSet, MetricType
from vumeter_server.errors import LimitExceeded
from vumeter_server.sqlite.library import sqlite3

# What an organization can have: the label index numbers a label of a metric within 64 bits.
MAX_METRICS = 30_000
MAX_LABELS = 16_000_000
MAX_SESSIONS_CACHED = 50_000
# So many labels of recently recorded label sets are cached.
MAX_LABELS_CACHED = 1_000_000
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

    They are only good together with `state`; after a rollback they are thrown away and read anew.
    """

    organization_id: int
    state: State
    metrics: dict[str, tuple[int, MetricType]]
    labels: dict[tuple[str, str], int]
    series: dict[bytes, int]
    """The code of each series by the codes of its labels, as the table has them."""
    label_sets: list[LabelSet] = field(default_factory=list)
    """Recently recorded label sets; those that come again are mostly the same objects."""
    codes_by_identity: dict[int, int] = field(default_factory=dict)
    """The codes of `label_sets` by their identities."""
    labels_cached: int = 0
    """How many labels `label_sets` have altogether, and how many they are."""
    distributed: set[int] = field(default_factory=set)
    """The codes of metrics that have distributions among their points."""
    # By hand: LRUCache of cachetools takes twice as long for each session of a batch (1.9 µs, not
    # 0.9), and the readers' caches are looked into without a lock, which its `get` does not allow.
    sessions: OrderedDict[str, int] = field(default_factory=OrderedDict)

    @classmethod
    def read(cls, connection: sqlite3.Connection, organization_id: int) -> SymbolTables:
        """Read the organization's symbol tables."""

        def rows(sql: str) -> sqlite3.Cursor:
            return connection.execute(sql + " WHERE organization_id = ?", (organization_id,))

        return cls(
            organization_id=organization_id,
            state=read_state(connection, organization_id),
            metrics={
                name: (code, MetricType(metric_type))
                for code, name, metric_type in rows("SELECT metric_code, name, type FROM metrics")
                if name is not None
            },
            labels={
                (key, value): code
                for code, key, value in rows("SELECT label_code, key, value FROM labels")
            },
            series={key: code for code, key in rows("SELECT series_code, label_codes FROM series")},
            distributed={
                code
                for code, marked in rows("SELECT metric_code, has_distributions FROM metrics")
                if marked
            },
        )

    @property
    def entries(self) -> int:
        """How many entries are held, to bound what all organizations take together."""
        known = len(self.labels) + 2 * len(self.series) + len(self.sessions)
        return known + self.labels_cached // 4

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
        return np.array([self.metrics[name][0] for name in names], np.int32)

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
        """Return the codes of label sets, giving out those of new labels and series."""
        if self.labels_cached > MAX_LABELS_CACHED:
            self.label_sets.clear()
            self.codes_by_identity.clear()
            self.labels_cached = 0
        codes = list(map(self.codes_by_identity.get, map(id, label_sets)))
        if None in codes:
            new_labels: list[tuple[int, int, str, str]] = []
            new_series: list[tuple[int, int, bytes]] = []
            for index, known in enumerate(codes):
                if known is not None:
                    continue
                label_set = label_sets[index]
                key = array("i", sorted(self._label_codes(label_set, new_labels))).tobytes()
                code = self.series.get(key)
                if code is None:
                    code = self.series[key] = self.state.series
                    self.state.series += 1
                    new_series.append((self.organization_id, code, key))
                codes[index] = self.codes_by_identity[id(label_set)] = code
                # As long as it is kept, its identity is nobody else's.
                self.label_sets.append(label_set)
                self.labels_cached += len(label_set) + 1
            connection.executemany(
                "INSERT INTO labels (organization_id, label_code, key, value) VALUES (?, ?, ?, ?)",
                new_labels,
            )
            connection.executemany(
                "INSERT INTO series (organization_id, series_code, label_codes) VALUES (?, ?, ?)",
                new_series,
            )
        return np.array(codes, np.int32)

    def _label_codes(
        self, label_set: LabelSet, new_labels: list[tuple[int, int, str, str]]
    ) -> list[int]:
        codes = []
        for label in label_set:
            code = self.labels.get(label)
            if code is None:
                if self.state.labels >= MAX_LABELS:
                    raise LimitExceeded(f"An organization has at most {MAX_LABELS:,} tag values")
                code = self.labels[label] = self.state.labels
                self.state.labels += 1
                new_labels.append((self.organization_id, code, *label))
            codes.append(code)
        return codes

    def session_codes(self, connection: sqlite3.Connection, names: list[str]) -> Codes:
        """Return the codes of sessions, giving out those of new ones."""
        known = self.sessions
        unknown = [name for name in dict.fromkeys(names) if name not in known]
        if unknown:
            hashes = {name: session_hash(self.organization_id, name) for name in unknown}
            known.update(_find_sessions(connection, self.organization_id, hashes))
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


def _find_sessions(
    connection: sqlite3.Connection, organization_id: int, hashes: dict[str, int]
) -> dict[str, int]:
    """Return the codes of those sessions that there are; `hashes` are by their names."""
    # The cross joins keep SQLite from going through all sessions in search of the few.
    rows = connection.execute(
        "SELECT sessions.name, session_code FROM json_each(?2)"
        " CROSS JOIN session_hashes ON hash = value"
        " CROSS JOIN sessions USING (organization_id, session_code)"
        " WHERE session_hashes.organization_id = ?1",
        (organization_id, str(list(hashes.values()))),
    )
    # Another session may have the same hash.
    return {name: code for name, code in rows if name in hashes}


def find_session(connection: sqlite3.Connection, organization_id: int, name: str) -> int | None:
    """Return the code of a session."""
    row = connection.execute(
        "SELECT session_code FROM session_hashes"
        " JOIN sessions USING (organization_id, session_code)"
        " WHERE hash = ? AND organization_id = ? AND name = ?",
        (session_hash(organization_id, name), organization_id, name),
    ).fetchone()
    return None if row is None else int(row[0])


def session_hash(organization_id: int, name: str) -> int:
    """Return what a session is found by; see the migration that makes its table."""
    digest = hashlib.blake2b(f"{organization_id}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
