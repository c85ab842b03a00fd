"""What one query sees of an organization: frozen, and passed to pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.distributions import Distributions
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.sqlite.cache.head import HeadPoints
from vumeter_server.custom_metrics.sqlite.cache.label_tables import Labels
from vumeter_server.custom_metrics.sqlite.cache.unit_cache import UnitSums
from vumeter_server.custom_metrics.sqlite.cache.units import Unit
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import State
from vumeter_server.sqlite.library import sqlite3


@dataclass(slots=True, eq=False)
class Metrics:
    """The metrics that are not deleted: names, interned ids and types; never changed.

    Attributes:
        sorted_names: all names in order, for the queries that name none.
        codes_by_name: the interned ids in the same order.
        distributed: the interned ids of those with distributions among their points.
    """

    codes: Mapping[str, int]
    names: Mapping[int, str]
    types: Mapping[int, MetricType]
    distributed: Set[int] = frozenset()
    sorted_names: Sequence[str] = field(init=False)
    codes_by_name: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.sorted_names = sorted(self.codes)
        self.codes_by_name = tuple(self.codes[name] for name in self.sorted_names)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class InMemory:
    """What can be read without the database while the view's organization is held.

    Attributes:
        metrics: interned ids of the metrics whose prefix sums are ready.
        points: the decoded points of segments; who uses some says so by `was_used`.
        head: how many points the head has in each rollup interval.
    """

    metrics: Set[int] = frozenset()
    points: Mapping[Unit, UnitSums] = field(default_factory=dict)
    head: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """An organization in one version.

    Attributes:
        state: the row of `metric_states` that the view is of.
        head: the points that are not flushed yet, of type POINT, in the order of recording.
        head_distributions: the distributions among them; None if there are none.
        in_memory: what is cached; None if the database may have a later version, or if another
            thread is using the caches: then the caches may not be read in place.
    """

    organization_id: int
    state: State
    metrics: Metrics
    labels: Labels
    head: HeadPoints
    head_distributions: Distributions | None = None
    in_memory: InMemory | None = None

    def unflushed_uses(self, points: HeadPoints) -> npt.NDArray[np.int64]:
        """Return the uses of points of the head that only points of the head have."""
        return self.labels.index.unflushed_among(self.labels.uses_of(points))

    @property
    def is_current(self) -> bool:
        """Whether the view is of the database's last version and the caches can be read."""
        return self.in_memory is not None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Snapshot(View):
    """A view together with the read transaction that sees the same version."""

    connection: sqlite3.Connection


def with_transaction(view: View) -> Snapshot:
    """Return a view that has its transaction; plans see to it that no other is read from."""
    if not isinstance(view, Snapshot):
        raise TypeError("a query that was planned to read nothing has to read")
    return view


def read_metrics(connection: sqlite3.Connection, organization_id: int) -> Metrics:
    """Read the metrics that are not deleted."""
    rows = connection.execute(
        "SELECT metric_code, name, type, has_distributions FROM metrics"
        " WHERE organization_id = ? AND name IS NOT NULL",
        (organization_id,),
    ).fetchall()
    return Metrics(
        codes={name: code for code, name, _, _ in rows},
        names={code: name for code, name, _, _ in rows},
        types={code: MetricType(metric_type) for code, _, metric_type, _ in rows},
        distributed=frozenset(code for code, _, _, marked in rows if marked),
    )
