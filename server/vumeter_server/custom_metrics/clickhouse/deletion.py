"""Deletion: an entry hides points at one moment; maintenance removes them from the tables later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vumeter_server.clickhouse import ClickHouse
from vumeter_server.custom_metrics.clickhouse.catalogs import rows_of
from vumeter_server.custom_metrics.clickhouse.changes import HiddenPoints, Use
from vumeter_server.custom_metrics.clickhouse.conditions import Moment, Parameters
from vumeter_server.custom_metrics.clickhouse.log import MetricLog
from vumeter_server.custom_metrics.clickhouse.proposals import Place, Proposal
from vumeter_server.custom_metrics.clickhouse.rows import NewEntry
from vumeter_server.custom_metrics.clickhouse.statements import Statement, ask, select
from vumeter_server.custom_metrics.questions import DeleteQuery
from vumeter_server.runtime.clock import Clock

_LABELS = (
    "arrayJoin(arrayConcat([('', '')], CAST(tags, 'Array(Tuple(String, String))'),"
    " if(agent = '', [], [('agent_id', toString(agent))]),"
    " if(environment = '', [], [('environment_id', toString(environment))])))"
)
"""One for each label of a point but its session, and one, of two empty texts, for the point."""


@dataclass(slots=True)
class _Unused:
    """What only points had that are to be deleted, of the points up to `seq`."""

    seq: int
    uses: list[Use]


class ClickHousePointDeletion:
    """Deletes points of one organization at a time."""

    def __init__(self, clickhouse: ClickHouse, log: MetricLog, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._log = log

    async def count(self, organization_id: int, query: DeleteQuery) -> int:
        """Return how many points would be deleted."""
        moment = await self._log.catalogs.moment(organization_id)
        return sum((await self._matching(moment, query)).values())

    async def delete(self, organization_id: int, query: DeleteQuery) -> int:
        """Hide the points that are there now, and what only they had."""
        moment = await self._log.catalogs.moment(organization_id)
        counts = await self._matching(moment, query)
        if not counts:
            return 0
        hidden = HiddenPoints(
            seq=0,
            hidden_us=self._clock(),
            through=moment.seq,
            start_us=query.start_us,
            end_us=query.end_us,
            metric_names=query.metric_names,
            filters=query.filters,
        )
        unused = _Unused(moment.seq, await self._unused(moment, query, sorted(counts)))

        async def read_on(later: Moment) -> None:
            if later.seq > unused.seq:
                unused.uses = await self._still_unused(later, unused.seq, unused.uses)
                unused.seq = later.seq

        def propose(place: Place, entry: NewEntry) -> None:
            entry.change.hidden = replace(hidden, seq=place.seq)
            entry.change.unused = unused.uses

        await self._log.append(
            organization_id, Proposal(propose=propose, prepare=read_on, is_alone=True)
        )
        return sum(counts.values())

    async def forget_metric(self, organization_id: int, name: str) -> bool:
        """Delete a metric with its points and its type; False if there is none of that name."""

        def propose(place: Place, entry: NewEntry) -> bool:
            if name not in place.catalog.metrics:
                return False
            entry.change.forgotten_metric = name
            entry.change.hidden = HiddenPoints(
                seq=place.seq,
                hidden_us=self._clock(),
                through=place.seq,
                metric_names=[name],
            )
            return True

        return await self._log.append(organization_id, Proposal(propose=propose, is_alone=True))

    async def _matching(self, moment: Moment, query: DeleteQuery) -> dict[str, int]:
        """Return how many points match, by metric."""
        parameters = Parameters()
        conditions = [parameters.is_seen_at(moment), parameters.is_about(query)]
        statement = select(
            self._clickhouse,
            {"metric": "metric"},
            {"points": "count()"},
            conditions,
            parameters,
        )
        return dict(rows_of(await ask(self._clickhouse, statement)))

    async def _unused(
        self, moment: Moment, query: DeleteQuery, metrics: Sequence[str]
    ) -> list[Use]:
        """Return what no point has any more once those that match are gone."""
        parameters = Parameters()
        conditions = [
            parameters.is_seen_at(moment),
            parameters.is_one_of("metric", metrics),
        ]
        statement = self._by_label(conditions, parameters, parameters.is_about(query))
        return _uses_of(rows_of(await ask(self._clickhouse, statement)))

    async def _still_unused(
        self, moment: Moment, since_seq: int, unused: Sequence[Use]
    ) -> list[Use]:
        """Leave out what points have that were recorded since."""
        parameters = Parameters()
        conditions = [
            parameters.is_seen_at(moment),
            f"seq > {since_seq}",
            parameters.is_one_of("metric", sorted({use[0] for use in unused})),
        ]
        statement = self._by_label(conditions, parameters, "true")
        used = set(_uses_of(rows_of(await ask(self._clickhouse, statement))))
        return [use for use in unused if use not in used]

    def _by_label(
        self, conditions: Sequence[str], parameters: Parameters, is_chosen: str
    ) -> Statement:
        """Return the statement for metrics, agents and labels of whose points all are chosen."""
        keys = {
            "metric": "metric",
            "agent": "agent",
            "label": _LABELS,
        }
        columns: dict[str, str] = {}
        return select(
            self._clickhouse,
            keys,
            columns,
            conditions,
            parameters,
            having=f"min({is_chosen}) = 1",
        )


def _uses_of(rows: Sequence[tuple[Any, ...]]) -> list[Use]:
    found: list[Use] = []
    for metric, agent, label in rows:
        key, value = label.values() if isinstance(label, dict) else label
        found.append((metric, agent, (key, value) if key else None))
    return found
