"""What was recorded set against what is there after kills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from tests.end_to_end.callers import Caller
from tests.end_to_end.other_recorders import CallsRecorder, active_calls, calls_of
from tests.end_to_end.otlp_recorders import Cumulative
from tests.end_to_end.recorders import Recorder, stored
from tests.end_to_end.typed_recorders import CallsRpcRecorder, CallStreamRecorder

OF_CALLS: Final = (CallsRecorder, CallsRpcRecorder, CallStreamRecorder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The batches of which not all is as it was told; none of them if all is well."""

    lost: list[str] = field(default_factory=list)
    """Acknowledged, and not there."""
    doubled: list[str] = field(default_factory=list)
    """There with more points, events or calls than it has."""
    partial: list[str] = field(default_factory=list)
    """There with fewer."""
    not_gone: list[str] = field(default_factory=list)
    """There though it was deleted, or canceled before a handler began it."""
    unknown: list[str] = field(default_factory=list)
    """There though nobody sent it."""

    def or_else(self, later: Verdict) -> Verdict:
        """Return what is wrong here or later, each batch once."""
        both = {
            each.name: sorted({*getattr(self, each.name), *getattr(later, each.name)})
            for each in fields(Verdict)
        }
        return Verdict(**both)


def found_by(caller: Caller, clients: Iterable[Recorder]) -> dict[str, int]:
    """Return how many points, events or calls of each batch there are."""
    found = {**stored(caller), **active_calls(caller)}
    for client in clients:
        if isinstance(client, OF_CALLS):
            found |= calls_of(caller, client)
        if isinstance(client, Cumulative):
            found |= client.divided(found.pop(client.name, 0))
    return found


def judge(found: Mapping[str, int], clients: Iterable[Recorder]) -> Verdict:
    """Return what is wrong: a batch that was not acknowledged may be there whole, or not at all."""
    clients = list(clients)
    verdict = Verdict(unknown=sorted(found.keys() - {b for each in clients for b in each.sent}))
    for client in clients:
        kept, gone = client.kept, client.gone
        for batch in client.sent:
            there, size = found.get(batch, 0), client.size_of(batch)
            if there > size:
                verdict.doubled.append(batch)
            elif 0 < there < size:
                verdict.partial.append(batch)
            if not there and batch in kept:
                verdict.lost.append(batch)
            if there and batch in gone:
                verdict.not_gone.append(batch)
    return verdict
