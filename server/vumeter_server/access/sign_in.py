"""Signing in by a link: its one-time code, and the keys that it is exchanged for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US

CODE_FOR_US: Final = 5 * MINUTE_US
KEYS_FOR_US: Final = 12 * HOUR_US
EXPIRED_KEYS_STAY_FOR_US: Final = 30 * DAY_US
"""Then the list of keys loses those that signing in created."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInKey:
    """A key that was created for who signed in."""

    key: NewKey
    role: Role
    expires_us: int


def new_code() -> str:
    """Create a code: 256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def roles_of(*, for_live: bool) -> tuple[Role, ...]:
    """Return the roles of the keys that a code is exchanged for."""
    return (Role.ADMIN, Role.OPERATOR) if for_live else (Role.ADMIN,)
