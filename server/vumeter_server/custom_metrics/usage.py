"""The use case of asking how much an organization stores, and how near its limits that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vumeter_server.access.authenticator import Caller
from vumeter_server.access.store import KeyInfo, KeyLookup
from vumeter_server.custom_metrics.usage_store import RejectionCount, Stored, UsageStore
from vumeter_server.errors import InvalidArgument
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.limits import Limits

DEFAULT_ENTRIES: Final = 100
MAX_ENTRIES: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageReport:
    """How much an organization stores, its limits, what was rejected, and its keys.

    `labels` are those of the keys of `rejections`, by key id, as far as they have one. `now_us` is
    when it was made; the states of the keys are those of then.
    """

    stored: Stored
    limits: Limits
    rejections: Sequence[RejectionCount]
    labels: Mapping[str, str]
    keys: Sequence[KeyInfo]
    now_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Reports usage of one organization at a time."""

    store: UsageStore
    keys: KeyLookup
    clock: Clock

    async def report(self, caller: Caller, limit: int) -> UsageReport:
        """Return the usage of the caller's organization, with up to `limit` entries of each list.

        0 stands for DEFAULT_ENTRIES. Raises InvalidArgument that names `limit`.
        """
        if not 0 <= limit <= MAX_ENTRIES:
            raise InvalidArgument.of("limit", f"must be a whole number from 1 to {MAX_ENTRIES:,}")
        most, now_us = limit or DEFAULT_ENTRIES, self.clock()
        organization_id = caller.organization_id
        rejections = await self.store.rejections(organization_id, now_us, most)
        return UsageReport(
            stored=await self.store.stored(organization_id, most),
            limits=caller.limits,
            rejections=rejections,
            labels=await self.keys.labels({each.key_id for each in rejections}),
            keys=await self.keys.keys_of(organization_id, most),
            now_us=now_us,
        )


def parse_limit(text: str) -> int:
    """Return how many entries are asked for; empty text is 0, for the default.

    Raises InvalidArgument that names `limit`, also for 0 as it is written.
    """
    if not text:
        return 0
    is_number = text.isascii() and text.isdigit() and 1 <= len(text) <= 18
    if not is_number or not 1 <= int(text) <= MAX_ENTRIES:
        raise InvalidArgument.of("limit", f"must be a whole number from 1 to {MAX_ENTRIES:,}")
    return int(text)
