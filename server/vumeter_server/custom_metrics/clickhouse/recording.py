"""Proposals of batches: what is recorded, once it is checked against all that is there."""

from __future__ import annotations

from vumeter_server.custom_metrics.clickhouse.changes import CatalogChange
from vumeter_server.custom_metrics.clickhouse.proposals import (
    EarlierRecording,
    Found,
    Place,
    Proposal,
)
from vumeter_server.custom_metrics.clickhouse.rows import NewEntry, RecordedKey
from vumeter_server.custom_metrics.model import Batch, Settled
from vumeter_server.custom_metrics.store import Idempotency
from vumeter_server.custom_metrics.validation import settle
from vumeter_server.errors import Conflict, Violation
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import Limits
from vumeter_server.times.units import DAY_US


def recording(
    batch: Batch,
    *,
    idempotency: Idempotency | None,
    now_us: int,
    limits: Limits,
    clock: Clock,
) -> Proposal[int]:
    """Return the proposal to record a batch; its answer is how many points it held."""

    def propose(place: Place, entry: NewEntry) -> int:
        earlier = earlier_answer(place.found, idempotency)
        if earlier is not None:
            return earlier
        settled = settle(batch, place.draft.types(batch.names), now_us)
        place.draft.check_metrics(batch, limits)
        settled, change = place.draft.admit(settled, limits, clock() // DAY_US)
        add_batch(entry, settled, change)
        if idempotency is not None:
            key = RecordedKey(idempotency=idempotency, recorded=len(batch), now_us=now_us)
            add_key(place, entry, key)
        return len(batch)

    keys = () if idempotency is None else (idempotency.key,)
    return Proposal(propose=propose, keys=keys, points=len(batch))


def earlier_answer(found: Found, idempotency: Idempotency | None) -> int | None:
    """Return what the first call with this key was answered, None if there was none.

    Raises Conflict if that call had other content.
    """
    known = None if idempotency is None else found.keys.get(idempotency.key)
    if known is None or idempotency is None:
        return None
    if known.content_sha256 != idempotency.content_sha256.hex():
        problem = "was used before with other content"
        raise Conflict(violations=[Violation(field="idempotency_key", problem=problem)])
    return known.recorded


def add_batch(entry: NewEntry, settled: Settled, change: CatalogChange) -> None:
    """Add a batch that is admitted to an entry."""
    if len(settled.values):
        entry.batches.append(settled)
    entry.change.types |= change.types
    entry.change.described |= change.described
    entry.change.series += change.series
    entry.change.recorded_on |= change.recorded_on


def add_key(place: Place, entry: NewEntry, key: RecordedKey) -> None:
    """Add an idempotency key to an entry; whoever comes with it later finds it."""
    entry.keys.append(key)
    digest = key.idempotency.content_sha256.hex()
    place.found.keys[key.idempotency.key] = EarlierRecording(digest, key.recorded)
