"""What a handler knows of the call it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from vumeter_server.access.authenticator import Caller
from vumeter_server.api.credentials import Metadata
from vumeter_server.runtime.actors import ADMIN_TOKEN, Actor


@dataclass(slots=True, eq=False)
class Call:
    """One call: who makes it, and by which id it is found in the logs.

    `known_caller` is None for methods that ask for no API key, and for the admin token.
    """

    request_id: str
    metadata: Metadata
    context: grpc.aio.ServicerContext[Any, Any]
    known_caller: Caller | None = None
    taken_within_seconds: float | None = None
    """How long a message of a stream may wait to be taken before the call is cancelled; a handler
    sets it where a caller that does not read would cost something."""
    ended_with: grpc.StatusCode | None = None
    """The status of the error that ended it, None if there was none."""

    @property
    def caller(self) -> Caller:
        """The key's organization and role; only methods that ask for a key may read it."""
        if self.known_caller is None:
            raise RuntimeError("this method is open to callers without a key")
        return self.known_caller

    @property
    def organization_id(self) -> int:
        """The organization that the call may see and change: the one place that scopes it."""
        return self.caller.organization_id

    @property
    def actor(self) -> Actor:
        """Who makes the call, to the audit; a method that asks for no credential has nobody."""
        return ADMIN_TOKEN if self.known_caller is None else self.known_caller.actor

    @property
    def only_tenant(self) -> str | None:
        """The only tenant that the call may see and report for, None if it may all of them."""
        return None if self.known_caller is None else self.known_caller.tenant_id
