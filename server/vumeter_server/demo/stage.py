"""What a family's demo data is given, and what it consists of."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc.aio

from vumeter_server.errors import Unavailable

MAX_EXTENDED_DAYS = 60
"""How many days demo data is extended by at once; of a longer time the last ones are."""

ShowProgress = Callable[[float], None]
"""Gets which part has been recorded, from 0 to 1."""


class DemoError(Exception):
    """Demo data could not be recorded; the text says why in one line."""


def failure(code: int, text: str) -> Exception:
    """Return what a gRPC status means: Unavailable if the same may be sent again, or DemoError."""
    not_now = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    is_not_now = code in [each.value[0] for each in not_now]
    return Unavailable(text) if is_not_now else DemoError(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running server, and how to call it.

    Attributes:
        grpc_target: the server's own port.
        bearer: a key of the organization `demo`, for as long as this start loads demo data.
        admin_token: what live metrics ask for.
        begun_us: up to when demo data is loaded. Data that depends on nothing else is the same when
            a start continues what another began.
        from_us: the `begun_us` of the data that is there already, which is extended; None if there
            is none.
    """

    grpc_target: str
    bearer: str
    admin_token: str
    begun_us: int
    from_us: int | None = None

    def channel(self) -> grpc.aio.Channel:
        """Open a channel to the server, which no proxy of the environment stands between."""
        return grpc.aio.insecure_channel(self.grpc_target, options=[("grpc.enable_http_proxy", 0)])


Load: TypeAlias = Callable[[Stage, ShowProgress], Coroutine[Any, Any, int]]
Play: TypeAlias = Callable[[Stage], Coroutine[Any, Any, None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """The demo data of one family.

    Attributes:
        family: its name, which stays.
        load: records what happened before this start and returns how much that was: all of it in a
            new database, later what has happened since. If it was interrupted it runs again within
            a day, so it must be repeatable.
        what: what `load` counts, such as `points`.
        play: records as long as the server runs, from every start on; cancelled at the end, and
            begun again after storage was busy.
    """

    family: str
    load: Load | None = None
    what: str = ""
    play: Play | None = None
