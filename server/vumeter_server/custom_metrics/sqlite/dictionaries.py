"""What the writer knows by heart of an organization: the codes of names, labels and sessions."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.batch import LabelSet, MetricType
from vumeter_server.errors import LimitExceeded

# What an organization can have; a use of a label by a metric is numbered within 64 bits.
MAX_METRICS = 30_000
MAX_LABELS = 16_000_000
MAX_SESSIONS_KNOWN = 50_000
MAX_LABEL_SETS_KNOWN = 200_000
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
class Dictionaries:
    """The codes that the writer has given out in one organization.

    They are only good together with `state`; after a rollback they are thrown away and read anew.
    """

    organization_id: int
    state: State
    metrics: dict[str, tuple[int, MetricType]]
    labels: dict[tuple[str, str], int]
    series: dict[bytes, int]
    label_pairs: list[tuple[str, str]]
    """Each label by its code: the one object that every label set refers to."""
    series_keys: list[bytes]
    """The labels of each series by its code."""
    series_agents: list[int]
    """The agent of each series by its code, NO_CODE for none."""
    label_sets: dict[LabelSet, int] = field(default_factory=dict)
    sessions: OrderedDict[str, int] = field(default_factory=OrderedDict)
    uses: set[int] = field(default_factory=set)
    seen: dict[int, npt.NDArray[np.bool_]] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: sqlite3.Connection, organization_id: int) -> Dictionaries:
        """Read the organization's dictionaries."""

        def rows(sql: str) -> sqlite3.Cursor:
            return connection.execute(sql + " WHERE organization_id = ?", (organization_id,))

        # Codes are positions: they count from 0 without gaps.
        labels = [
            (key, value)
            for _, key, value in sorted(rows("SELECT label_code, key, value FROM labels"))
        ]
        keys = [key for _, key in sorted(rows("SELECT series_code, label_codes FROM series"))]
        agents = {code for code, (key, _) in enumerate(labels) if key == AGENT}
        return cls(
            organization_id=organization_id,
            state=read_state(connection, organization_id),
            metrics={
                name: (code, MetricType(metric_type))
                for code, name, metric_type in rows("SELECT metric_code, name, type FROM metrics")
                if name is not None
            },
            labels={label: code for code, label in enumerate(labels)},
            series={key: code for code, key in enumerate(keys)},
            label_pairs=labels,
            series_keys=keys,
            series_agents=[
                next((code for code in _codes_of(key) if code in agents), NO_CODE) for key in keys
            ],
            uses={
                _use(*use)
                for use in rows("SELECT metric_code, agent_code, label_code FROM metric_uses")
            },
        )

    @property
    def weight(self) -> int:
        """How many entries are held, to bound what all organizations take together."""
        return len(self.labels) + 2 * len(self.series) + len(self.sessions) + len(self.uses)

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
        connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", new)
        return np.array([self.metrics[name][0] for name in names], np.int32)

    def series_codes(self, connection: sqlite3.Connection, label_sets: list[LabelSet]) -> Codes:
        """Return the codes of label sets, giving out those of new labels and series."""
        if len(self.label_sets) > MAX_LABEL_SETS_KNOWN:
            self.label_sets.clear()
        codes = np.empty(len(label_sets), np.int32)
        new_labels: list[tuple[int, int, str, str]] = []
        new_series: list[tuple[int, int, bytes]] = []
        for index, label_set in enumerate(label_sets):
            code = self.label_sets.get(label_set)
            if code is None:
                codes_of_set = self._label_codes(label_set, new_labels)
                key = np.array(sorted(codes_of_set), "<i4").tobytes()
                code = self.series.get(key)
                if code is None:
                    code = self.series[key] = self.state.series
                    self.state.series += 1
                    self.series_keys.append(key)
                    self.series_agents.append(
                        next(
                            (self.labels[label] for label in label_set if label[0] == AGENT),
                            NO_CODE,
                        )
                    )
                    new_series.append((self.organization_id, code, key))
                # The labels that are known already take the place of the caller's equal ones.
                known = tuple(self.label_pairs[each] for each in codes_of_set)
                self.label_sets[known] = code
            codes[index] = code
        connection.executemany("INSERT INTO labels VALUES (?, ?, ?, ?)", new_labels)
        connection.executemany("INSERT INTO series VALUES (?, ?, ?)", new_series)
        return codes

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
                self.label_pairs.append(label)
                self.state.labels += 1
                new_labels.append((self.organization_id, code, *label))
            codes.append(code)
        return codes

    def session_codes(self, connection: sqlite3.Connection, names: list[str]) -> Codes:
        """Return the codes of sessions, giving out those of new ones."""
        codes = np.empty(len(names), np.int32)
        for index, name in enumerate(names):
            code = self.sessions.get(name)
            if code is None:
                code = find_session(connection, self.organization_id, name)
                if code is None:
                    code = self.state.sessions
                    self.state.sessions += 1
                    connection.execute(
                        "INSERT INTO sessions VALUES (?, ?, ?)", (self.organization_id, code, name)
                    )
                    connection.execute(
                        "INSERT INTO session_hashes VALUES (?, ?, ?)",
                        (session_hash(self.organization_id, name), self.organization_id, code),
                    )
                self.sessions[name] = code
                if len(self.sessions) > MAX_SESSIONS_KNOWN:
                    self.sessions.popitem(last=False)
            codes[index] = code
        return codes

    def note_uses(self, connection: sqlite3.Connection, metrics: Codes, series: Codes) -> None:
        """Keep which labels each metric's points have, for points that were not seen before.

        `metrics` and `series` have one element a point.
        """
        pairs = np.unique(metrics.astype(np.int64) << 32 | series)
        fresh = pairs[[not self._seen(pair >> 32)[pair & 0xFFFFFFFF] for pair in pairs.tolist()]]
        if not len(fresh):
            return
        of_metric, of_series = fresh >> 32, (fresh & 0xFFFFFFFF).tolist()
        for metric in np.unique(of_metric).tolist():
            self._seen(metric)[fresh[of_metric == metric] & 0xFFFFFFFF] = True
        keys = [self.series_keys[code] for code in of_series]
        bases = _uses(of_metric, np.array([self.series_agents[code] for code in of_series]))
        labels = np.frombuffer(b"".join(keys), "<i4") + 1
        uses = np.concatenate([bases, np.repeat(bases, [len(key) // 4 for key in keys]) + labels])
        new = [use for use in np.unique(uses).tolist() if use not in self.uses]
        self.uses.update(new)
        connection.executemany(
            "INSERT INTO metric_uses VALUES (?, ?, ?, ?, ?)",
            [
                (self.organization_id, code, *_codes_of_use(use))
                for code, use in enumerate(new, self.state.uses)
            ],
        )
        self.state.uses += len(new)

    def _seen(self, metric: int) -> npt.NDArray[np.bool_]:
        """Return, by series, whether the metric's points of it were seen before."""
        seen = self.seen.get(metric)
        if seen is None or len(seen) < self.state.series:
            grown = np.zeros(max(1024, 2 * self.state.series), np.bool_)
            if seen is not None:
                grown[: len(seen)] = seen
            seen = self.seen[metric] = grown
        return seen


def _codes_of(key: bytes) -> list[int]:
    codes: list[int] = np.frombuffer(key, "<i4").tolist()
    return codes


def _use(metric: int, agent: int, label: int) -> int:
    """Return three codes as one number of 64 bits: MAX_LABELS and MAX_METRICS see to it."""
    return metric << 48 | (agent + 1) << 24 | (label + 1)


def _uses(metrics: npt.NDArray[np.int64], agents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers of uses of no label, to which a label's code plus 1 can be added."""
    uses: npt.NDArray[np.int64] = metrics << 48 | (agents + 1) << 24
    return uses


def _codes_of_use(use: int) -> tuple[int, int, int]:
    return use >> 48, (use >> 24 & 0xFFFFFF) - 1, (use & 0xFFFFFF) - 1


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
