"""Proposals of what exporters send: increments come from states that lie in the log, too."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from vumeter_server.custom_metrics.clickhouse.proposals import Place, Proposal
from vumeter_server.custom_metrics.clickhouse.recording import add_batch, add_key, earlier_answer
from vumeter_server.custom_metrics.clickhouse.rows import LogRow, NewEntry, RecordedKey
from vumeter_server.custom_metrics.clickhouse.schema import POINTS
from vumeter_server.custom_metrics.exported import ExportedBatch, ExportOutcome
from vumeter_server.custom_metrics.increments import SeriesStates
from vumeter_server.custom_metrics.series_states import read_states, write_states
from vumeter_server.custom_metrics.settle_exported import STATES_KEPT_US, settle_exported
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.errors import StorageDamaged
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.damage import Damage
from vumeter_server.runtime.limits import Limits
from vumeter_server.times.units import DAY_US

_log = structlog.get_logger(__name__)

Reject = Callable[[ExportOutcome], list[LogRow]]
"""Returns what is kept of the points that were rejected, and of what was noted."""


def export_recording(
    batch: ExportedBatch,
    *,
    idempotency: Idempotency | None,
    now_us: int,
    limits: Limits,
    clock: Clock,
    damage: Damage,
    reject: Reject,
) -> Proposal[ExportOutcome]:
    """Return the proposal to record what `settle_exported` makes of a batch."""
    metrics = zip(batch.streams, batch.metric_indexes, strict=True)
    units = {unit_of(stream, batch.metrics[index].name) for stream, index in set(metrics)}

    def propose(place: Place, entry: NewEntry) -> ExportOutcome:
        earlier = earlier_answer(place.found, idempotency)
        if earlier is not None:
            return ExportOutcome(taken=earlier, is_repeat=True)
        used: dict[str, SeriesStates] = {}

        def find_states(stream: bytes, metric_name: str) -> SeriesStates:
            unit = unit_of(stream, metric_name)
            if unit not in used:
                used[unit] = _states_of(place.found.series_states.get(unit), damage)
            return used[unit]

        names = [metric.name for metric in batch.metrics]
        draft = place.draft
        export = settle_exported(
            batch,
            draft.known(names),
            find_states,
            now_us,
            room=draft.room(names, limits),
        )
        settled, change = draft.admit(
            export.settled, limits, clock() // DAY_US, described=export.described
        )
        add_batch(entry, settled, change)
        for unit, states in used.items():
            states.forget((now_us - STATES_KEPT_US) * 1_000)
            # Those that come later in the entry go on from here.
            place.found.series_states[unit] = write_states(states)
            entry.series_states[unit] = (place.found.series_states[unit], now_us)
        if idempotency is not None:
            key = RecordedKey(idempotency=idempotency, recorded=export.taken, now_us=now_us)
            add_key(place, entry, key)
        notes = {note.name.lower(): count for note, count in export.notes.items()}
        outcome = ExportOutcome(
            taken=export.taken, rejected=export.rejected, notes=notes | {"unit": export.other_units}
        )
        entry.rows += reject(outcome)
        return outcome

    return Proposal(
        propose=propose,
        keys=() if idempotency is None else (idempotency.key,),
        units=sorted(units),
        points=len(batch),
    )


def unit_of(stream: bytes, metric_name: str) -> str:
    return f"{stream.hex()}/{metric_name}"


def _states_of(content: bytes | None, damage: Damage) -> SeriesStates:
    if content is None:
        return SeriesStates()
    try:
        return read_states(content)
    except ValueError:
        problem = "the states of exported series cannot be read"
        damage.note([POINTS])
        _log.error("storage_damaged", problem=problem, tables=[POINTS])
        raise StorageDamaged(detail=problem) from None
